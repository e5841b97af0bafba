"""Module 10: nothing is lost on the way to ids and back, both trainers learn the same, the second one fast."""

import json
import random
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch
from tinytorch.tokenizers import BPETokenizer, CharTokenizer, merge, pair_counts, split_text

few = settings(max_examples=100, deadline=None, derandomize=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
words = st.text("ab ,\n1é😀", max_size=60)  # few characters: many equal pairs
TRAINING = "the cat sat on the mat; the bat, the rat: 😀 thé\n\n  it's 1999 " * 3
TOKENIZER = BPETokenizer(("<|endoftext|>", "<|end|>"))
TOKENIZER.train(TRAINING, 300)


def prose(length, seed=0):
    """Return text of about as many different words as English has (Zipf's law)."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(3000)]
    weights = [1 / (i + 1) for i in range(len(vocabulary))]
    return " ".join(rng.choices(vocabulary, weights, k=length // 5))[:length]


@few
@given(texts)
def test_any_text_comes_back(text):
    for tokenizer in (TOKENIZER, BPETokenizer(), BPETokenizer(pattern=None), CharTokenizer(text)):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert all(type(i) is int and 0 <= i < tokenizer.vocab_size for i in ids)
    assert "".join(split_text(text)) == text


@few
@given(words)
def test_encode_does_the_merges_in_their_order(text):
    expected = []
    for piece in split_text(text):
        ids = list(piece.encode())
        for pair, new_id in TOKENIZER.merges.items():
            ids = merge(ids, pair, new_id)
        expected += ids
    assert TOKENIZER.encode(text) == expected


@few
@given(words, st.integers(256, 290), st.booleans())
def test_both_trainers_learn_the_same(text, size, split):
    simple, fast, again = (BPETokenizer(pattern=r"\S+|\s+" if split else None) for _ in range(3))
    simple.train_simple(text, size)
    fast.train(text, size)
    again.train(text, size)
    assert list(simple.merges.items()) == list(fast.merges.items()) == list(again.merges.items())
    assert list(fast.merges.values()) == list(range(256, 256 + len(fast.merges)))


@few
@given(st.lists(st.integers(0, 3), max_size=30), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_merge_goes_from_left_to_right(ids, pair):
    text = "".join(map(str, ids))
    expected = list(map(int, re.sub("".join(map(str, pair)), "9", text)))
    before = list(ids)
    assert merge(ids, pair, 9) == expected
    assert ids == before
    assert sum(pair_counts(ids).values()) == max(len(ids) - 1, 0)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1), max_size=30))
@few
def test_any_ids_decode(ids):
    expected = b"".join(TOKENIZER.vocab[i] for i in ids).decode("utf-8", errors="replace")
    assert TOKENIZER.decode(ids) == expected
    assert (
        TOKENIZER.decode(np.array(ids, np.int64))
        == TOKENIZER.decode(tinytorch.Tensor(np.array(ids, np.int64)))
        == expected
    )


def test_ties_go_to_the_smallest_pair():
    for train in (BPETokenizer.train, BPETokenizer.train_simple):
        tokenizer = BPETokenizer()
        train(tokenizer, "cd ab cd ab", 260)
        assert [tokenizer.vocab[i] for i in range(256, 259)] == [b" a", b"cd", b" ab"]


def test_training_stops_when_nothing_is_left_to_merge():
    for train in (BPETokenizer.train, BPETokenizer.train_simple):
        tokenizer = BPETokenizer()
        train(tokenizer, "aa aa", 1000)
        assert (tokenizer.vocab_size, tokenizer.encode("aaaa")) == (258, [256, 256])
        train(tokenizer, "", 1000)
        assert (tokenizer.vocab_size, tokenizer.encode("")) == (256, [])
    with pytest.raises(ValueError, match="256"):
        BPETokenizer().train("abc", 200)


def test_special_tokens_are_never_cut_or_merged():
    end, stop = TOKENIZER.special_ids["<|endoftext|>"], TOKENIZER.special_ids["<|end|>"]
    assert (end, stop) == (TOKENIZER.vocab_size - 2, TOKENIZER.vocab_size - 1)
    ids = TOKENIZER.encode("the cat<|endoftext|><|end|> <|endof")
    assert ids.count(end) == 1 and ids.count(stop) == 1
    assert TOKENIZER.decode(ids) == "the cat<|endoftext|><|end|> <|endof"
    tokenizer = BPETokenizer(["<|x|>"])
    tokenizer.train("ab<|x|>ab<|x|>" * 9, 257)
    assert [tokenizer.vocab[i] for i in (256, 257)] == [b"ab", b"<|x|>"]
    overlapping = BPETokenizer(["<|x|>", "<|x|>y"])
    assert overlapping.encode("<|x|>y<|x|>") == [257, 256]


def test_pieces():
    assert split_text("don't stop_it 42x,  ok?!\n\n end") == [
        *("don", "'t", " stop", "_", "it", " 42", "x", ",", " ", " ok", "?!", "\n\n", " end")
    ]  # fmt: skip
    assert split_text("naïve Ωmega 東京") == ["naïve", " Ωmega", " 東京"]
    assert split_text("", None) == [] and split_text("a b", None) == ["a b"]


def test_what_cannot_be_encoded_is_refused():
    with pytest.raises(ValueError, match="'z'"):
        CharTokenizer("abc").encode("az")
    for tokenizer in (CharTokenizer("abc"), TOKENIZER):
        for ids in ([-1], [tokenizer.vocab_size]):
            with pytest.raises(ValueError, match="ids go from 0"):
                tokenizer.decode(ids)
    with pytest.raises(UnicodeEncodeError):
        TOKENIZER.encode("\ud800")


def test_save_and_load(tmp_path):
    TOKENIZER.save(tmp_path / "bpe.json")
    loaded = BPETokenizer.load(tmp_path / "bpe.json")
    assert (loaded.vocab, loaded.merges, loaded.special_ids) == (
        TOKENIZER.vocab,
        TOKENIZER.merges,
        TOKENIZER.special_ids,
    )
    assert loaded.encode(TRAINING + "<|end|>") == TOKENIZER.encode(TRAINING + "<|end|>")
    CharTokenizer("héllo\n😀").save(tmp_path / "char.json")
    assert CharTokenizer.load(tmp_path / "char.json").characters == "\nhloé😀"


DAMAGED = [
    "", "[1, 2]", "{}", '{"format": "tinytorch.bpe"}', "\x80\x81", '{"format": "tinytorch.bpe", "merges": [[1, 2]',
    json.dumps({"format": "tinytorch.bpe", "pattern": None, "special_tokens": [], "merges": [[300, 2]]}),
    json.dumps({"format": "tinytorch.bpe", "pattern": None, "special_tokens": [], "merges": [[1, 2], [1, 2]]}),
    json.dumps({"format": "tinytorch.bpe", "pattern": None, "special_tokens": [], "merges": [[1, 2, 3]]}),
    json.dumps({"format": "tinytorch.bpe", "pattern": "(", "special_tokens": [], "merges": []}),
    json.dumps({"format": "tinytorch.char", "characters": 5}),
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_an_error(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content.encode("latin-1"))
    for kind in (BPETokenizer, CharTokenizer):
        with pytest.raises(ValueError, match=r"tokenizer\.json"):
            kind.load(path)


def seconds(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def test_counting_what_changes_is_at_least_20_times_faster():
    text = prose(200_000)
    simple, fast = BPETokenizer(), BPETokenizer()
    slow_time = seconds(simple.train_simple, text, 256 + 12)
    extra = seconds(fast.train, text, 256 + 12)
    assert simple.merges == fast.merges
    many = min(seconds(fast.train, text, 256 + 250) for _ in range(2))
    assert slow_time / 12 * 250 > 20 * many, (slow_time, extra, many)
    ids = fast.encode(text)
    assert fast.decode(ids) == text and len(ids) < len(text) / 2
    assert seconds(fast.encode, text) < 2
