# SPDX-License-Identifier: GPL-2.0-only
"""BERT's tokenization, written from its description (Devlin et al. 2019) with Python's unicodedata.

Clean the text, put spaces around Chinese characters, cut at white space, lower and strip accents, cut
at punctuation, then take the longest piece of the vocabulary again and again.
"""

import unicodedata

CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
           (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
ASCII_PUNCTUATION = set(range(33, 48)) | set(range(58, 65)) | set(range(91, 97)) | set(range(123, 127))


def clean(text):
    result = []
    for char in text:
        if char in "\t\n\r":
            result.append(" ")
        elif ord(char) in (0, 0xFFFD) or unicodedata.category(char)[0] == "C":
            continue
        elif unicodedata.category(char) == "Zs":
            result.append(" ")
        elif any(low <= ord(char) <= high for low, high in CHINESE):
            result.append(" " + char + " ")
        else:
            result.append(char)
    return "".join(result)


def is_punctuation(char):
    return ord(char) in ASCII_PUNCTUATION or unicodedata.category(char)[0] == "P"


def split_punctuation(word):
    parts = [""]
    for char in word:
        if is_punctuation(char):
            parts += [char, ""]
        else:
            parts[-1] += char
    return [part for part in parts if part]


def words(text, lower):
    result = []
    for word in clean(text).split():
        if lower:
            word = unicodedata.normalize("NFD", word.lower())
            word = "".join(char for char in word if unicodedata.category(char) != "Mn")
        result += split_punctuation(word)
    return result


def wordpiece(word, vocabulary):
    if len(word) > 100:
        return [vocabulary["[UNK]"]]
    ids, begin = [], 0
    while begin < len(word):
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in vocabulary:
                ids.append(vocabulary[piece])
                begin = end
                break
        else:
            return [vocabulary["[UNK]"]]
    return ids


def encode(text, vocabulary, lower=True):
    return [i for word in words(text, lower) for i in wordpiece(word, vocabulary)]
