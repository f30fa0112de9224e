# SPDX-License-Identifier: GPL-2.0-only
"""Models in Hugging Face's form, written from their papers with torch.nn's functions alone.

An independent program that the module's models are held to: random checkpoints of every family are
made here, and logits, losses and gradients are computed from the files' tensors by their names.
"""

import json
import math
import pathlib
import random
import struct

from support.needs_torch import torch

F = torch.nn.functional
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def distance(value, reference):
    """The largest difference, as a part of the reference's largest value."""
    scale = max(reference.abs().max().item(), 1e-12)
    return (value - reference).abs().max().item() / scale


def write_safetensors(path, tensors):
    head, data, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in tensors.items():
        raw = tensor.contiguous()
        raw = bytes(raw.view(torch.int16).numpy().tobytes() if raw.element_size() == 2
                    else raw.numpy().tobytes())
        head[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                      "data_offsets": [offset, offset + len(raw)]}
        data.append(raw)
        offset += len(raw)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    head = json.loads(raw[8:8 + length])
    tensors = {}
    for name, entry in head.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        kind = {value: key for key, value in TYPES.items()}[entry["dtype"]]
        part = bytearray(raw[8 + length + begin:8 + length + end])
        flat = torch.frombuffer(part, dtype=kind) if part else torch.empty(0, dtype=kind)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


# ---------------------------------------------------------------- tokenizers


def byte_characters():
    """GPT-2's printable character for every byte (Radford et al. 2019, their encoder)."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, next_one = {}, 256
    for byte in range(256):
        table[byte] = chr(byte if byte in kept else next_one)
        next_one += byte not in kept
    return table


def write_byte_tokenizer(folder, begins, side):
    """A tokenizer.json whose pieces are the 256 bytes; id = 4 + byte; 1 begins and 2 ends a text."""
    characters = byte_characters()
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3}
    vocabulary.update({characters[byte]: 4 + byte for byte in range(256)})
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
               for i, text in enumerate(("<pad>", "<s>", "</s>", "<unk>"))]
    template = [{"SpecialToken": {"id": "<s>", "type_id": 0}}] if begins else []
    processor = {"type": "TemplateProcessing",
                 "single": template + [{"Sequence": {"id": "A", "type_id": 0}}],
                 "pair": template + [{"Sequence": {"id": "A", "type_id": 0}},
                                     {"Sequence": {"id": "B", "type_id": 0}}],
                 "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
                 "normalizer": None,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False,
                                   "trim_offsets": True, "use_regex": True},
                 "post_processor": processor if begins else None,
                 "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                             "use_regex": True},
                 "model": {"type": "BPE", "dropout": None, "unk_token": None,
                           "continuing_subword_prefix": None, "end_of_word_suffix": None,
                           "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary,
                           "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
         "padding_side": side}))
    return lambda text: ([1] if begins else []) + [4 + byte for byte in text.encode()]


LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_wordpiece(folder, side):
    """A vocab.txt of letters; the encoder gives [CLS] text [SEP] of one or two texts."""
    (folder / "tokenizer_config.json").write_text(json.dumps({"padding_side": side}))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS,
              *("##" + letter for letter in LETTERS)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    ids = {piece: i for i, piece in enumerate(pieces)}

    def encode(text):
        tokens = [2]
        for word in text.split():
            tokens += [ids[("##" if i else "") + letter] for i, letter in enumerate(word)]
        return tokens + [3]
    return encode, len(pieces)


# ---------------------------------------------------------------- models


def gelu_by_tanh(y):
    return 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y ** 3)))


ACTIVATIONS = {"gelu": F.gelu, "gelu_new": gelu_by_tanh, "gelu_pytorch_tanh": gelu_by_tanh,
               "relu": F.relu, "silu": F.silu}


class Reference:
    """A model by its config.json and its tensors."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = {name: tensor.float().requires_grad_()
                        for name, tensor in read_safetensors(folder / "model.safetensors").items()}

    def get(self, name):
        return self.tensors[name]

    def linear(self, x, name):
        return F.linear(x, self.get(name + ".weight"), self.tensors.get(name + ".bias"))

    def conv1d(self, x, name):
        return x @ self.get(name + ".weight") + self.get(name + ".bias")

    def activate(self, x):
        names = ("hidden_act", "activation_function", "activation")
        return ACTIVATIONS[next(self.config[name] for name in names if name in self.config)](x)

    def norm(self, x, name, epsilon):
        return F.layer_norm(x, x.shape[-1:], self.get(name + ".weight"), self.get(name + ".bias"),
                            epsilon)

    def hidden(self, tokens, mask=None):
        """Rows behind the last norm, of one sequence [T,D]; mask: 1 for tokens, 0 for padding."""
        self.mask = torch.tensor(mask or [1] * len(tokens))
        # Padding does not count, as transformers numbers what it continues (generate), and all of OPT's.
        # (Other inputs it numbers by columns unless told: there, padding on the left changes results.)
        self.positions = (self.mask.cumsum(0) - 1).clamp(min=0)
        return {"gpt2": self.gpt2, "opt": self.opt, "llama": self.llama, "qwen2": self.llama,
                "bert": self.bert, "distilbert": self.distilbert}[self.config["model_type"]](tokens)

    def padded(self, texts, side):
        """Logits of texts that are padded to the same length on one side; one entry a text.

        A classifier's are those of its first or its last token, wherever the padding is.
        """
        longest = max(len(tokens) for tokens in texts) + 3
        result = []
        for tokens in texts:
            padding = [0] * (longest - len(tokens))
            ones = [1] * len(tokens)
            left = side == "left"
            rows = self.hidden(padding + tokens if left else tokens + padding,
                               padding + ones if left else ones + padding)
            result.append(self.head(rows[len(padding):] if left else rows[:len(tokens)]))
        return result

    def logits(self, tokens):
        """Of every position [T,V]; of a classifier, of the classes [C]."""
        return self.head(self.hidden(tokens))

    def head(self, rows):
        """Logits of rows behind the last norm."""
        kind = self.config["model_type"]
        if self.is_masked():
            return self.masked_head(rows)
        if "score.weight" in self.tensors:
            return self.get("score.weight") @ rows[-1]
        if kind == "bert":
            return self.linear(torch.tanh(self.linear(rows[0], "bert.pooler.dense")), "classifier")
        if kind == "distilbert":
            return self.linear(F.relu(self.linear(rows[0], "pre_classifier")), "classifier")
        head = self.tensors.get("lm_head.weight")
        table = {"gpt2": "transformer.wte.weight",
                 "opt": "model.decoder.embed_tokens.weight"}.get(kind, "model.embed_tokens.weight")
        return rows @ (head if head is not None else self.get(table)).T

    def loss(self, documents):
        """Mean loss per predicted token of several sequences."""
        total, count = 0, 0
        for tokens in documents:
            logits = self.logits(tokens)[:-1]
            total = total + F.cross_entropy(logits, torch.tensor(tokens[1:]), reduction="sum")
            count += len(tokens) - 1
        return total / count

    def class_loss(self, texts, labels):
        rows = torch.stack([self.logits(tokens) for tokens in texts])
        return F.cross_entropy(rows, torch.tensor(labels))

    def is_masked(self):
        return self.config["architectures"][0].endswith("ForMaskedLM")

    def masked_head(self, rows):
        """BertForMaskedLM's and DistilBertForMaskedLM's: transform, norm, table and a bias."""
        if self.config["model_type"] == "bert":
            names = ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
                     "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight",
                     "cls.predictions.bias")
        else:
            names = ("vocab_transform", "vocab_layer_norm", "vocab_projector.weight",
                     "distilbert.embeddings.word_embeddings.weight", "vocab_projector.bias")
        epsilon = self.config.get("layer_norm_eps", 1e-12)
        rows = self.norm(self.activate(self.linear(rows, names[0])), names[1], epsilon)
        own = self.tensors.get(names[2])
        return F.linear(rows, own if own is not None else self.get(names[3]), self.get(names[4]))

    def masked_loss(self, texts):
        """Mean loss of (tokens, place, label): one token of each text is to be found."""
        rows = torch.stack([self.logits(tokens)[place] for tokens, place, _ in texts])
        return F.cross_entropy(rows, torch.tensor([label for _, _, label in texts]))

    def attend(self, query, key, value, causal):
        """[H,T,d] each."""
        scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        hidden = (self.mask == 0)[None, :].expand(len(self.mask), -1)
        if causal:
            hidden = hidden | torch.ones(len(self.mask), len(self.mask)).triu(1).bool()
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        return (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)

    @staticmethod
    def split(x, heads):
        return x.view(x.shape[0], heads, -1).transpose(0, 1)

    def gpt2(self, tokens):
        c, ids = self.config, torch.tensor(tokens)
        x = self.get("transformer.wte.weight")[ids]
        x = x + self.get("transformer.wpe.weight")[self.positions]
        for i in range(c["n_layer"]):
            name = f"transformer.h.{i}."
            y = self.norm(x, name + "ln_1", c["layer_norm_epsilon"])
            parts = self.conv1d(y, name + "attn.c_attn").chunk(3, -1)
            heads = [self.split(part, c["n_head"]) for part in parts]
            x = x + self.conv1d(self.attend(*heads, True), name + "attn.c_proj")
            y = self.conv1d(self.norm(x, name + "ln_2", c["layer_norm_epsilon"]), name + "mlp.c_fc")
            x = x + self.conv1d(self.activate(y), name + "mlp.c_proj")
        return self.norm(x, "transformer.ln_f", c["layer_norm_epsilon"])

    def opt(self, tokens):
        c, ids, base = self.config, torch.tensor(tokens), "model.decoder."
        x = self.get(base + "embed_tokens.weight")[ids]
        x = x + self.get(base + "embed_positions.weight")[2 + self.positions]
        for i in range(c["num_hidden_layers"]):
            name = f"{base}layers.{i}."
            y = self.norm(x, name + "self_attn_layer_norm", 1e-5)
            heads = [self.split(self.linear(y, f"{name}self_attn.{kind}_proj"),
                                c["num_attention_heads"]) for kind in "qkv"]
            x = x + self.linear(self.attend(*heads, True), name + "self_attn.out_proj")
            y = F.relu(self.linear(self.norm(x, name + "final_layer_norm", 1e-5), name + "fc1"))
            x = x + self.linear(y, name + "fc2")
        return self.norm(x, base + "final_layer_norm", 1e-5)

    def llama(self, tokens):
        c, ids = self.config, torch.tensor(tokens)
        heads, groups = c["num_attention_heads"], c["num_key_value_heads"]
        width = c.get("head_dim") or c["hidden_size"] // heads
        rates = self.rotations(width)
        angles = self.positions.double()[:, None] * rates[None]
        cosines = torch.cat([angles, angles], 1).cos().float()
        sines = torch.cat([angles, angles], 1).sin().float()

        def rotate(x):
            half = torch.cat([-x[..., width // 2:], x[..., :width // 2]], -1)
            return x * cosines + half * sines

        def norm(x, name):
            root = torch.rsqrt((x * x).mean(-1, keepdim=True) + c["rms_norm_eps"])
            return x * root * self.get(name + ".weight")

        x = self.get("model.embed_tokens.weight")[ids]
        for i in range(c["num_hidden_layers"]):
            name = f"model.layers.{i}."
            y = norm(x, name + "input_layernorm")
            query = rotate(self.split(self.linear(y, name + "self_attn.q_proj"), heads))
            key = rotate(self.split(self.linear(y, name + "self_attn.k_proj"), groups))
            value = self.split(self.linear(y, name + "self_attn.v_proj"), groups)
            key = key.repeat_interleave(heads // groups, 0)
            value = value.repeat_interleave(heads // groups, 0)
            x = x + self.linear(self.attend(query, key, value, True), name + "self_attn.o_proj")
            y = norm(x, name + "post_attention_layernorm")
            gate = F.silu(self.linear(y, name + "mlp.gate_proj"))
            x = x + self.linear(gate * self.linear(y, name + "mlp.up_proj"), name + "mlp.down_proj")
        return norm(x, "model.norm")

    def rotations(self, width):
        c = self.config
        rates = 1 / c.get("rope_theta", 1e4) ** (torch.arange(0, width, 2).double() / width)
        scaling = c.get("rope_scaling")
        if not scaling:
            return rates
        if scaling["rope_type"] == "linear":
            return rates / scaling["factor"]
        # Llama 3.1: long waves are stretched, short ones left, those between a mean of both.
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        original = scaling["original_max_position_embeddings"]
        result = []
        for rate in rates.tolist():
            wave = 2 * math.pi / rate
            if wave < original / high:
                result.append(rate)
            elif wave > original / low:
                result.append(rate / scaling["factor"])
            else:
                smooth = (original / wave - low) / (high - low)
                result.append((1 - smooth) * rate / scaling["factor"] + smooth * rate)
        return torch.tensor(result, dtype=torch.float64)

    def encoder(self, x, layers, heads, names, epsilon):
        for i in range(layers):
            name = names["layer"].format(i)
            parts = [self.split(self.linear(x, name + part), heads) for part in names["qkv"]]
            y = self.linear(self.attend(*parts, False), name + names["out"])
            x = self.norm(x + y, name + names["norm1"], epsilon)
            y = self.activate(self.linear(x, name + names["inner"]))
            y = self.linear(y, name + names["outer"])
            x = self.norm(x + y, name + names["norm2"], epsilon)
        return x

    def bert(self, tokens):
        c, base = self.config, "bert.embeddings."
        x = self.get(base + "word_embeddings.weight")[torch.tensor(tokens)]
        x = x + self.get(base + "position_embeddings.weight")[self.positions]
        segments, second = [], 0
        for token in tokens:
            segments.append(second)
            second = second or int(token == 3)
        x = x + self.get(base + "token_type_embeddings.weight")[torch.tensor(segments)]
        x = self.norm(x, base + "LayerNorm", c["layer_norm_eps"])
        return self.encoder(x, c["num_hidden_layers"], c["num_attention_heads"],
                            {"layer": "bert.encoder.layer.{}.",
                             "qkv": [f"attention.self.{k}" for k in ("query", "key", "value")],
                             "out": "attention.output.dense", "norm1": "attention.output.LayerNorm",
                             "inner": "intermediate.dense", "outer": "output.dense",
                             "norm2": "output.LayerNorm"}, c["layer_norm_eps"])

    def distilbert(self, tokens):
        c, base = self.config, "distilbert.embeddings."
        x = self.get(base + "word_embeddings.weight")[torch.tensor(tokens)]
        x = x + self.get(base + "position_embeddings.weight")[self.positions]
        x = self.norm(x, base + "LayerNorm", 1e-12)
        return self.encoder(x, c["n_layers"], c["n_heads"],
                            {"layer": "distilbert.transformer.layer.{}.",
                             "qkv": [f"attention.{k}_lin" for k in "qkv"],
                             "out": "attention.out_lin", "norm1": "sa_layer_norm",
                             "inner": "ffn.lin1", "outer": "ffn.lin2",
                             "norm2": "output_layer_norm"}, 1e-12)


# ---------------------------------------------------------------- random checkpoints


def shapes(config, classes):
    """Names and shapes of everything that transformers saves of a model; classes 0: a language model."""
    kind, v = config["model_type"], config["vocab_size"]
    result = {}

    def linear(name, out, inn, bias=True):
        result[name + ".weight"] = (out, inn)
        if bias:
            result[name + ".bias"] = (out,)

    def norm(name, width):
        result[name + ".weight"] = result[name + ".bias"] = (width,)

    if kind == "gpt2":
        d, f = config["n_embd"], config["n_inner"]
        result["transformer.wte.weight"] = (v, d)
        result["transformer.wpe.weight"] = (config["n_positions"], d)
        for i in range(config["n_layer"]):
            name = f"transformer.h.{i}."
            for part, inn, out in (("attn.c_attn", d, 3 * d), ("attn.c_proj", d, d),
                                   ("mlp.c_fc", d, f), ("mlp.c_proj", f, d)):
                result[name + part + ".weight"], result[name + part + ".bias"] = (inn, out), (out,)
            norm(name + "ln_1", d)
            norm(name + "ln_2", d)
        norm("transformer.ln_f", d)
    elif kind == "opt":
        d, base = config["hidden_size"], "model.decoder."
        result[base + "embed_tokens.weight"] = (v, d)
        result[base + "embed_positions.weight"] = (config["max_position_embeddings"] + 2, d)
        for i in range(config["num_hidden_layers"]):
            name = f"{base}layers.{i}."
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                linear(f"{name}self_attn.{part}", d, d)
            linear(name + "fc1", config["ffn_dim"], d)
            linear(name + "fc2", d, config["ffn_dim"])
            norm(name + "self_attn_layer_norm", d)
            norm(name + "final_layer_norm", d)
        norm(base + "final_layer_norm", d)
    elif kind in ("llama", "qwen2"):
        d, f = config["hidden_size"], config["intermediate_size"]
        width = config.get("head_dim") or d // config["num_attention_heads"]
        queries = width * config["num_attention_heads"]
        keys = width * config["num_key_value_heads"]
        bias = kind == "qwen2" or config.get("attention_bias", False)
        result["model.embed_tokens.weight"] = (v, d)
        for i in range(config["num_hidden_layers"]):
            name = f"model.layers.{i}."
            linear(name + "self_attn.q_proj", queries, d, bias)
            linear(name + "self_attn.k_proj", keys, d, bias)
            linear(name + "self_attn.v_proj", keys, d, bias)
            linear(name + "self_attn.o_proj", d, queries, config.get("attention_bias", False))
            for part, out, inn in (("gate_proj", f, d), ("up_proj", f, d), ("down_proj", d, f)):
                linear(f"{name}mlp.{part}", out, inn, config.get("mlp_bias", False))
            result[name + "input_layernorm.weight"] = (d,)
            result[name + "post_attention_layernorm.weight"] = (d,)
        result["model.norm.weight"] = (d,)
    elif kind == "bert":
        d, base = config["hidden_size"], "bert.embeddings."
        result[base + "word_embeddings.weight"] = (v, d)
        result[base + "position_embeddings.weight"] = (config["max_position_embeddings"], d)
        result[base + "token_type_embeddings.weight"] = (config["type_vocab_size"], d)
        norm(base + "LayerNorm", d)
        for i in range(config["num_hidden_layers"]):
            name = f"bert.encoder.layer.{i}."
            for part in ("query", "key", "value"):
                linear(f"{name}attention.self.{part}", d, d)
            linear(name + "attention.output.dense", d, d)
            norm(name + "attention.output.LayerNorm", d)
            linear(name + "intermediate.dense", config["intermediate_size"], d)
            linear(name + "output.dense", d, config["intermediate_size"])
            norm(name + "output.LayerNorm", d)
        if classes:
            linear("bert.pooler.dense", d, d)
    else:
        d, base = config["dim"], "distilbert.embeddings."
        result[base + "word_embeddings.weight"] = (v, d)
        result[base + "position_embeddings.weight"] = (config["max_position_embeddings"], d)
        norm(base + "LayerNorm", d)
        for i in range(config["n_layers"]):
            name = f"distilbert.transformer.layer.{i}."
            for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
                linear(f"{name}attention.{part}", d, d)
            norm(name + "sa_layer_norm", d)
            linear(name + "ffn.lin1", config["hidden_dim"], d)
            linear(name + "ffn.lin2", d, config["hidden_dim"])
            norm(name + "output_layer_norm", d)
        if classes:
            linear("pre_classifier", d, d)
    if kind in ("bert", "distilbert") and classes:
        linear("classifier", classes, d)
    elif kind == "bert":
        linear("cls.predictions.transform.dense", d, d)
        norm("cls.predictions.transform.LayerNorm", d)
        result["cls.predictions.bias"] = (v,)
        if not config["tie_word_embeddings"]:
            result["cls.predictions.decoder.weight"] = (v, d)
    elif kind == "distilbert":
        linear("vocab_transform", d, d)
        norm("vocab_layer_norm", d)
        result["vocab_projector.bias"] = (v,)
        if not config["tie_word_embeddings"]:
            result["vocab_projector.weight"] = (v, d)
    elif classes:
        linear("score", classes, d, False)
    elif not config["tie_word_embeddings"]:
        linear("lm_head", v, d, False)
    return result


def make_config(kind, rng, vocabulary, classes, least):
    heads = rng.choice([2, 3, 4])
    width, blocks, inner = heads * rng.choice([4, 6, 8]), rng.randint(least, 4), rng.choice([20, 36, 52])
    positions = 64
    names = {"gpt2": ("GPT2", "LMHeadModel"), "opt": ("OPT", "ForCausalLM"),
             "llama": ("Llama", "ForCausalLM"), "qwen2": ("Qwen2", "ForCausalLM"),
             "bert": ("Bert", "ForMaskedLM"), "distilbert": ("DistilBert", "ForMaskedLM")}[kind]
    config = {"model_type": kind, "vocab_size": vocabulary,
              "architectures": [names[0] + ("ForSequenceClassification" if classes else names[1])],
              "tie_word_embeddings": rng.random() < 0.5}
    if classes:
        config["id2label"] = {str(i): str(i) for i in range(classes)}
        config["label2id"] = {str(i): i for i in range(classes)}
    if kind == "gpt2":
        config.update(n_embd=width, n_layer=blocks, n_head=heads, n_inner=inner,
                      n_positions=positions, activation_function="gelu_new",
                      layer_norm_epsilon=1e-5, bos_token_id=1, eos_token_id=2,
                      tie_word_embeddings=True if rng.random() < 0.5 else False)
    elif kind == "opt":
        config.update(hidden_size=width, num_hidden_layers=blocks, num_attention_heads=heads,
                      ffn_dim=inner, max_position_embeddings=positions, word_embed_proj_dim=width,
                      activation_function="relu", do_layer_norm_before=True, bos_token_id=1,
                      eos_token_id=2, pad_token_id=0)
    elif kind in ("llama", "qwen2"):
        heads = rng.choice([2, 4, 6])
        groups = rng.choice([g for g in (1, 2, 3) if heads % g == 0])
        head = rng.choice([4, 8, 10])
        config.update(hidden_size=rng.choice([24, 30, 32]) if kind == "llama" else heads * head,
                      num_hidden_layers=blocks, num_attention_heads=heads,
                      num_key_value_heads=groups, head_dim=head, intermediate_size=inner,
                      max_position_embeddings=positions, hidden_act="silu",
                      rms_norm_eps=rng.choice([1e-5, 1e-6]), rope_theta=rng.choice([1e4, 5e5]),
                      bos_token_id=1, eos_token_id=2)
        if kind == "llama":
            config["attention_bias"] = rng.random() < 0.3
            config["mlp_bias"] = rng.random() < 0.3
            config["rope_scaling"] = rng.choice(
                [None, {"rope_type": "linear", "factor": 2.0},
                 {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                  "high_freq_factor": 4.0, "original_max_position_embeddings": 32}])
        else:
            config["use_sliding_window"] = False
    elif kind == "bert":
        config.update(hidden_size=width, num_hidden_layers=blocks, num_attention_heads=heads,
                      intermediate_size=inner, max_position_embeddings=positions,
                      type_vocab_size=2, hidden_act="gelu", layer_norm_eps=1e-12,
                      hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0)
    else:
        config.update(dim=width, n_layers=blocks, n_heads=heads, hidden_dim=inner,
                      max_position_embeddings=positions, activation="gelu", dropout=0.0,
                      attention_dropout=0.0, pad_token_id=0, sinusoidal_pos_embds=False)
    return config


def write_checkpoint(folder, kind, seed, classes=0, dtype=torch.float32, tied=None, least=1,
                     side="right"):
    """A random small model of `least` blocks or more; returns what encodes its texts."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    if kind in ("bert", "distilbert"):
        encode, vocabulary = write_wordpiece(folder, side)
    else:
        encode, vocabulary = write_byte_tokenizer(folder, kind != "gpt2", side), 260
    config = make_config(kind, rng, vocabulary + rng.randint(0, 3), classes, least)
    if tied is not None:
        config["tie_word_embeddings"] = tied
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes(config, classes).items():
        values = torch.randn(shape, generator=generator) * 0.3
        is_norm = name.endswith("weight") and len(shape) == 1
        tensors[name] = ((1 + values) if is_norm else values).to(dtype)
    (folder / "config.json").write_text(json.dumps(config))
    write_safetensors(folder / "model.safetensors", tensors)
    return encode
