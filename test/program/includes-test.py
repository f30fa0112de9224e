#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Every file includes the standard headers of what it uses, itself or through headers of this module that
it includes: what a compiler's library or ns-3 happens to bring along differs from release to release.

    includes-test.py BUILD SOURCE          the test
    includes-test.py --fix BUILD SOURCE    adds what is missing
"""

import pathlib
import re
import sys

# What each header is needed for, as far as it can be told from the text.
USES = {
    "algorithm": r"std::(min|max|minmax|(min|max|minmax)_element|(stable_|partial_)?sort|is_sorted|find"
                 r"|find_if(_not)?|(any|all|none)_of|count|count_if|fill|fill_n|copy|copy_n|copy_if"
                 r"|transform|clamp|reverse|unique|lower_bound|upper_bound|equal_range|binary_search"
                 r"|equal|mismatch|replace|remove|remove_if|rotate|shuffle|generate|nth_element"
                 r"|(stable_)?partition|partition_point|for_each|set_difference|set_union"
                 r"|set_intersection|includes|merge|lexicographical_compare|next_permutation)\b\s*[(<]",
    "array": r"std::array\b",
    "atomic": r"std::atomic\b",
    "bitset": r"std::bitset\b",
    "cctype": r"std::(isspace|isdigit|isalpha|isalnum|isprint|isupper|tolower|toupper)\b",
    "charconv": r"std::(from_chars|to_chars)\b",
    "chrono": r"std::chrono\b",
    "cmath": r"std::(sqrt|cbrt|pow|exp|exp2|expm1|log|log1p|log2|log10|floor|ceil|round|lround|llround"
             r"|rint|nearbyint|trunc|fabs|fmod|remainder|isfinite|isnan|isinf|hypot|cos|sin|tan|tanh"
             r"|atan|atan2|erf|erfc|lgamma|nextafter|ldexp|frexp|copysign|signbit)\b\s*\(",
    "condition_variable": r"std::condition_variable\b",
    "cstddef": r"\bstd::(size_t|ptrdiff_t|byte|max_align_t)\b",
    "cstdint": r"\b(std::)?u?int(8|16|32|64)_t\b",
    "cstdio": r"std::(printf|fprintf|snprintf|fopen|fclose|fflush|rename|remove)\s*\(\"?[^,)]*\)?;?$",
    "cstdlib": r"std::(getenv|exit|_Exit|abort|strtod|strtol|strtoul|system|atoi|malloc|free)\b",
    "cstring": r"std::(memcpy|memset|memcmp|memmove|strlen|strcmp|strncmp|strerror|strchr)\b",
    "deque": r"std::deque\b",
    "exception": r"std::(exception|exception_ptr|current_exception|rethrow_exception|terminate)\b",
    "filesystem": r"std::filesystem\b",
    "fstream": r"std::[io]?fstream\b",
    "functional": r"std::(function|bind|hash|less|greater|plus|multiplies|reference_wrapper|ref|cref)\b",
    "future": r"std::(future|promise|async|packaged_task)\b",
    "initializer_list": r"std::initializer_list\b",
    "iomanip": r"std::(setprecision|setw|setfill|quoted|put_time)\b",
    "iostream": r"std::(cout|cerr|clog|cin)\b",
    "iterator": r"std::(back_inserter|inserter|next|prev|distance|advance|i(stream|streambuf)_?(buf_)?iterator"
                r"|ostream_iterator|make_move_iterator)\b",
    "limits": r"std::numeric_limits\b",
    "list": r"std::list\b",
    "map": r"std::(multi)?map\b",
    "memory": r"std::((unique|shared|weak)_ptr|make_(unique|shared)|enable_shared_from_this|addressof)\b",
    "mutex": r"std::(mutex|recursive_mutex|lock_guard|unique_lock|scoped_lock|once_flag|call_once)\b",
    "new": r"std::(bad_alloc|nothrow|launder)\b",
    "numeric": r"std::(accumulate|iota|inner_product|partial_sum|adjacent_difference|reduce|gcd|lcm"
               r"|transform_reduce|exclusive_scan|inclusive_scan)\b",
    "optional": r"std::(optional|nullopt|make_optional)\b",
    "ostream": r"std::(ostream|endl|flush)\b",
    "queue": r"std::(queue|priority_queue)\b",
    "random": r"std::(mt19937|mt19937_64|random_device|[a-z]+(_int|_real)?_distribution|seed_seq"
              r"|default_random_engine)\b",
    "regex": r"std::(regex|smatch|cmatch|regex_[a-z]+)\b",
    "set": r"std::(multi)?set\b",
    "shared_mutex": r"std::(shared_mutex|shared_lock)\b",
    "sstream": r"std::[io]?stringstream\b",
    "stdexcept": r"std::(runtime_error|logic_error|invalid_argument|out_of_range|domain_error"
                 r"|length_error|overflow_error|range_error)\b",
    "string": r"std::(string|to_string|stoi|stol|stoul|stoull|stod|getline)\b",
    "string_view": r"std::string_view\b",
    "system_error": r"std::(system_error|error_code|generic_category|errc)\b",
    "thread": r"std::(thread|this_thread)\b",
    "tuple": r"std::(tuple|tie|make_tuple|forward_as_tuple)\b",
    "type_traits": r"std::(is_same|is_integral|is_unsigned|is_signed|is_floating_point|is_base_of|is_enum"
                   r"|is_trivially_[a-z]+|enable_if|decay|conditional|underlying_type|remove_[a-z]+"
                   r"|make_unsigned|invoke_result)(_t|_v)?\b",
    "unordered_map": r"std::unordered_map\b",
    "unordered_set": r"std::unordered_set\b",
    "utility": r"std::(move|forward|pair|make_pair|swap|exchange|declval|index_sequence|as_const)\b",
    "variant": r"std::(variant|visit|monostate|get_if|holds_alternative)\b",
    "vector": r"std::vector\b",
}

# What the headers of containers and strings cannot do without in any library.
CONTAINERS = {"array", "deque", "functional", "list", "map", "memory", "queue", "set", "string", "tuple",
              "unordered_map", "unordered_set", "vector"}
# Headers whose declarations others have, too.
SAME = {
    "cstddef": {"cstdio", "cstdlib", "cstring"} | CONTAINERS,
    "exception": {"stdexcept"},
    "initializer_list": CONTAINERS,
    "iterator": CONTAINERS,
    "ostream": {"iosfwd", "fstream", "iomanip", "iostream", "sstream"},
    "system_error": {"filesystem"},
    "type_traits": {"utility"} | CONTAINERS,
    "utility": CONTAINERS,
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)
ANYTHING_UNSAID = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((.*?)\)"|"(\\.|[^"\\\n])*"', re.DOTALL)


class Sources:
    """The module's sources and headers."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(path for folder in ("model", "helper", "examples", "test", "bench")
                            for path in (root / folder).rglob("*") if path.suffix in (".cc", ".h"))
        self.headers = {path.name: path for path in self.paths if path.suffix == ".h"}
        self.texts = {path: path.read_text(encoding="utf-8") for path in self.paths}
        self.known = {}

    def standard(self, path):
        """The standard headers that a file includes, itself or through headers of this module."""
        if path in self.known:
            return self.known[path]
        found = self.known[path] = set()
        for kind, name in INCLUDE.findall(self.texts[path]):
            own = self.headers.get(pathlib.PurePath(name).name)
            if kind == "<":
                found.add(name)
            elif own:
                found |= self.standard(own)
        return found

    def missing(self, path):
        """The standard headers that a file uses something of without including them."""
        if path.suffix == ".h" and not re.search(r"^#(ifndef|pragma once)", self.texts[path], re.MULTILINE):
            return []  # a piece of another file
        code = ANYTHING_UNSAID.sub('""', self.texts[path])
        found = self.standard(path)
        return [header for header, use in USES.items()
                if header not in found and not (SAME.get(header, set()) & found)
                and re.search(use, code, re.MULTILINE)]

    def add(self, path, headers):
        """Adds includes behind the last one of angle brackets, or else of any kind; sorted."""
        lines = self.texts[path].split("\n")
        angle = [i for i, line in enumerate(lines) if re.match(r"#include <", line)]
        anyone = [i for i, line in enumerate(lines) if re.match(r"#include ", line)]
        if angle:
            first = last = angle[-1]
            while lines[first - 1].startswith("#include <"):
                first -= 1
            lines[first:last + 1] = sorted(lines[first:last + 1] + [f"#include <{h}>" for h in headers])
        else:
            guards = [i for i, line in enumerate(lines) if re.match(r"#define COLLAPIPE|#pragma once", line)]
            where = (anyone or guards or [lines.index(" */")])[-1]
            lines[where + 1:where + 1] = [""] + [f"#include <{h}>" for h in headers]
        path.write_text("\n".join(lines), encoding="utf-8")


def check_itself():
    """The check sees what it is for."""
    assert re.search(USES["algorithm"], "const auto [a, b] = std::minmax(c, d);")
    assert not re.search(USES["algorithm"], "std::max_align_t x; numeric_limits<int>::max()")
    assert ANYTHING_UNSAID.sub('""', 'f("std::min(1"); // std::max(') == 'f(""); ""'


def main(arguments):
    fix = "--fix" in arguments
    sources = Sources(pathlib.Path(arguments[-1]).resolve())
    check_itself()
    assert len(sources.paths) > 100, "these are not the module's sources"
    bad = 0
    for path in sources.paths:
        headers = sources.missing(path)
        if not headers:
            continue
        bad += 1
        print(f"{path.relative_to(sources.root)} uses what these declare and does not include them: "
              + ", ".join(f"<{header}>" for header in headers))
        if fix:
            sources.add(path, headers)
    if bad and not fix:
        print("test/program/includes-test.py --fix . . adds them")
        return 1
    print(f"{len(sources.paths)} files, {bad} of them {'mended' if fix else 'lack includes'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
