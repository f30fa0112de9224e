// SPDX-License-Identifier: GPL-2.0-only
//
// Other people's tokenizers on the same texts: node tokenize.mjs MODULES KIND TEXTS [FOLDER]
// MODULES has node_modules, TEXTS is a JSON list; prints a JSON list of [ids, text decoded].

import fs from "fs";
import {createRequire} from "module";
import path from "path";

const [modules, kind, texts, folder] = process.argv.slice(2);
const require = createRequire(path.join(modules, "node_modules", "x"));

function gpt2()
{
    const {encode, decode} = require("gpt-3-encoder");
    return [encode, decode];
}

function json()
{
    const {Tokenizer} = require("@huggingface/tokenizers");
    const read = (name) => JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
    const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
    const options = {skip_special_tokens : true, clean_up_tokenization_spaces : false};
    return [
        (text) => Array.from(tokenizer.encode(text, {add_special_tokens : false}).ids),
        (ids) => tokenizer.decode(ids, options)
    ];
}

function library()
{
    const {Tokenizer} = require("tokenizers");
    const text = fs.readFileSync(path.join(folder, "tokenizer.json"), "utf8");
    const tokenizer = Tokenizer.fromString(text);
    return [
        async (text) => (await tokenizer.encode(text, null, {addSpecialTokens : false})).getIds(),
        (ids) => tokenizer.decode(ids, true)
    ];
}

const [encode, decode] = kind === "gpt2" ? gpt2() : kind === "library" ? library() : json();
const results = [];
for (const text of JSON.parse(fs.readFileSync(texts, "utf8")))
{
    const ids = Array.from(await encode(text));
    results.push([ ids, ids.length > 0 ? await decode(ids) : "" ]);
}
console.log(JSON.stringify(results));
