"""Module 10, Tokenization: text becomes numbers, one per character or one per frequent group of bytes.

Byte pair encoding (Gage, 1994; Sennrich et al., 2016; on bytes as in GPT-2, Radford et al., 2019) starts from the
256 bytes and again and again gives the most frequent pair of neighbours a number of its own.
"""

import functools
import heapq
import json
import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

# A word is cut off before its space: 's 't 'll 've..., letters, digits, other signs; spaces at the end stay together.
GPT2_LIKE = r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"


class CharTokenizer:
    """One number for each different character of a text, in sorted order.

    >>> tokenizer = tt.CharTokenizer("hello")
    >>> tokenizer.encode("hole"), tokenizer.decode([2, 0, 2, 3])
    ([1, 3, 2, 0], 'lelo')
    """

    def __init__(self, text):
        """Take the characters of text as the vocabulary."""
        self.characters = "".join(sorted(set(text)))
        self.ids = {character: i for i, character in enumerate(self.characters)}

    @property
    def vocab_size(self):
        """Number of different ids."""
        return len(self.characters)

    def encode(self, text):
        """Return the ids of a text's characters, a list. Raises ValueError for one that is not in the vocabulary."""
        try:
            return [self.ids[character] for character in text]
        except KeyError as error:
            raise ValueError(f"character {error} is not in the vocabulary {self.characters!r}") from None

    def decode(self, ids):
        """Return the text that ids, integers or a tensor, stand for. Raises ValueError for an id out of range."""
        ids = _ints(ids)
        if ids and not 0 <= min(ids) <= max(ids) < len(self.characters):
            raise ValueError(f"ids go from 0 to {len(self.characters) - 1}, got {min(ids)} to {max(ids)}")
        return "".join([self.characters[i] for i in ids])

    def save(self, path):
        """Write the vocabulary to a JSON file."""
        _write(path, {"format": "tinytorch.char", "characters": self.characters})

    @classmethod
    def load(cls, path):
        """Return the tokenizer that `save` wrote. Raises ValueError for any other file."""
        characters = _read(path, "tinytorch.char").get("characters")
        if not isinstance(characters, str):
            raise ValueError(f"{path}: no characters in it")
        return cls(characters)


def pair_counts(ids, counts=None, weight=1):
    """Return how often each pair of neighbours occurs in ids, as a dict; added to counts, each worth weight.

    >>> tt.pair_counts([1, 2, 3, 1, 2])
    {(1, 2): 2, (2, 3): 1, (3, 1): 1}
    """
    counts = {} if counts is None else counts
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + weight
    return counts


def merge(ids, pair, new_id):
    """Return ids, a list, with new_id in place of every occurrence of pair, from left to right.

    >>> tt.merge([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    first, second = pair
    out, i, last = [], 0, len(ids) - 1
    while i <= last:
        if ids[i] == first and i < last and ids[i + 1] == second:
            out.append(new_id)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def split_text(text, pattern=GPT2_LIKE):
    """Return the pieces of text, a list, that no token reaches across; joined they are the text again.

    pattern: a regular expression that matches any character in one way or another; None keeps the text whole.

    >>> tt.split_text("I'm here,  at 10_000!")
    ['I', "'m", ' here', ',', ' ', ' at', ' 10', '_', '000', '!']
    """
    if pattern is None:
        return [text] if text else []
    return re.findall(pattern, text)


class BPETokenizer:
    """Byte pair encoding: ids 0 to 255 are the bytes, then come the merged pairs, then the special tokens.

    `merges` maps each merged pair of ids to its own id, in the order of training; `vocab` each id to its bytes.
    Special tokens, such as "<|endoftext|>", are never cut or merged.

    >>> tokenizer = tt.BPETokenizer()
    >>> tokenizer.train("low lower lowest", vocab_size=259)
    >>> tokenizer.encode("slow"), tokenizer.decode([257, 33])
    ([115, 257], 'low!')
    """

    def __init__(self, special_tokens=(), pattern=GPT2_LIKE):
        self.special_tokens, self.pattern = tuple(special_tokens), pattern
        re.compile(pattern or "")  # re.error if it is none
        self._set_merges([])

    def _set_merges(self, pairs):
        """Take pairs, in order, as the merges, and number everything anew."""
        self.merges = {tuple(pair): 256 + i for i, pair in enumerate(pairs)}
        self.vocab = {i: bytes([i]) for i in range(256)}
        for (first, second), new_id in self.merges.items():
            self.vocab[new_id] = self.vocab[first] + self.vocab[second]
        self.special_ids = {token: 256 + len(self.merges) + i for i, token in enumerate(self.special_tokens)}
        self.vocab |= {i: token.encode() for token, i in self.special_ids.items()}
        self._encode_piece = functools.lru_cache(1 << 16)(self.encode_piece)

    @property
    def vocab_size(self):
        """Number of different ids: bytes, merges and special tokens."""
        return len(self.vocab)

    def _parts(self, text):
        """Return text cut at special tokens, as a list: every second part is such a token."""
        if not self.special_tokens:
            return [text]
        longest_first = sorted(self.special_tokens, key=len, reverse=True)
        return re.split("(" + "|".join(map(re.escape, longest_first)) + ")", text)

    def _words(self, text):
        """Return the pieces of text between special tokens, as bytes."""
        return [piece.encode() for part in self._parts(text)[::2] for piece in split_text(part, self.pattern)]

    def train_simple(self, text, vocab_size):
        """Learn merges until there are vocab_size ids (special tokens not counted) or no pairs left.

        Each round counts all pairs again and merges the most frequent one, of several the smallest.
        """
        words = [list(word) for word in self._words(text)]
        pairs: list[tuple] = []
        while len(pairs) < vocab_size - 256:
            counts: dict = {}
            for word in words:
                pair_counts(word, counts)
            if not counts:
                break
            pairs.append(min(counts, key=lambda pair: (-counts[pair], pair)))
            words = [merge(word, pairs[-1], 255 + len(pairs)) for word in words]
        self._set_merges(pairs)

    def train(self, text, vocab_size):
        """Learn the merges of `train_simple`, faster: equal words once, and only what a merge changes is counted.

        `where` leads from a pair to the words it may be in. The heap holds (-count, pair); entries whose count has
        changed since are skipped when they come up. Raises ValueError for a vocab_size below 256.
        """
        if vocab_size < 256:
            raise ValueError(f"vocab_size is at least 256, one for each byte, got {vocab_size}")
        unique = Counter(self._words(text))
        words, weights = [list(word) for word in unique], list(unique.values())
        counts: dict = {}
        pairs: list[tuple] = []
        where = defaultdict(set)
        for i, word in enumerate(words):
            pair_counts(word, counts, weights[i])
            for pair in pairwise(word):
                where[pair].add(i)
        heap = [(-count, pair) for pair, count in counts.items()]
        heapq.heapify(heap)
        while heap and len(pairs) < vocab_size - 256:
            count, best = heapq.heappop(heap)
            if counts[best] != -count:
                continue
            pairs.append(best)
            changes: dict = {}
            for i in where.pop(best):
                pair_counts(words[i], changes, -weights[i])
                words[i] = merge(words[i], best, 255 + len(pairs))
                pair_counts(words[i], changes, weights[i])
                for pair in pairwise(words[i]):
                    where[pair].add(i)
            for pair, change in changes.items():
                counts[pair] = counts.get(pair, 0) + change
                if change and counts[pair]:
                    heapq.heappush(heap, (-counts[pair], pair))
        self._set_merges(pairs)

    def encode_piece(self, piece):
        """Return the ids of one piece of text, bytes: of all pairs in it, the first one learned is merged first."""
        ids = list(piece)
        while len(ids) > 1:
            best = min(pairwise(ids), key=lambda pair: self.merges.get(pair, math.inf))
            if best not in self.merges:
                break
            ids = merge(ids, best, self.merges[best])
        return ids

    def encode(self, text):
        """Return the ids of text, a list; special tokens in it become their own ids.

        Raises UnicodeEncodeError for half a surrogate pair, which is no character.
        """
        ids: list[int] = []
        for i, part in enumerate(self._parts(text)):
            if i % 2:
                ids.append(self.special_ids[part])
                continue
            for piece in split_text(part, self.pattern):
                ids += self._encode_piece(piece.encode())
        return ids

    def decode(self, ids):
        """Return the text that ids, integers or a tensor, stand for; bytes that are no UTF-8 become U+FFFD.

        Raises ValueError for an id out of range.
        """
        ids = _ints(ids)
        if ids and not 0 <= min(ids) <= max(ids) < self.vocab_size:
            raise ValueError(f"ids go from 0 to {self.vocab_size - 1}, got {min(ids)} to {max(ids)}")
        return b"".join([self.vocab[i] for i in ids]).decode(errors="replace")

    def save(self, path):
        """Write merges, special tokens and pattern to a JSON file."""
        content = {"format": "tinytorch.bpe", "pattern": self.pattern, "special_tokens": self.special_tokens}
        _write(path, content | {"merges": list(self.merges)})

    @classmethod
    def load(cls, path):
        """Return the tokenizer that `save` wrote. Raises ValueError for any other file, and for a damaged one."""
        content = _read(path, "tinytorch.bpe")
        try:
            tokenizer = cls(map(str, content["special_tokens"]), content["pattern"])
            pairs = [(int(first), int(second)) for first, second in content["merges"]]
            if any(min(pair) < 0 or max(pair) >= 256 + i for i, pair in enumerate(pairs)) or len(set(pairs)) < len(
                pairs
            ):
                raise ValueError("a merge of ids that are not there yet, or done before")
            tokenizer._set_merges(pairs)
        except (KeyError, TypeError, ValueError, re.error) as error:
            raise ValueError(f"{path}: damaged tokenizer file ({error})") from None
        return tokenizer


def _ints(ids):
    return list(map(int, ids.tolist() if hasattr(ids, "tolist") else ids))


def _write(path, content):
    Path(path).write_text(json.dumps(content), encoding="utf-8")


def _read(path, kind):
    try:
        content = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not a tokenizer file ({error})") from None
    if not isinstance(content, dict) or content.get("format") != kind:
        raise ValueError(f"{path}: not a tokenizer file of format {kind}")
    return content
