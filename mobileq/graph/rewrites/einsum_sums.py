"""Einsum of one operand, with a repeated letter, or of vectors: a product, summed.

sum over the letters that the result lacks of the operands' product, each operand laid out along
all letters; a letter that stands twice in an operand is its diagonal: times the unit matrix, summed
(ONNX operator schema, Einsum 12). Matrix products are left alone, which converters know.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mobileq.graph.outline import attribute
from mobileq.graph.rewrites.rule import Editing, Rule

if TYPE_CHECKING:
    from onnx import NodeProto

_LARGEST = 2**22
"""Values of the product."""


def _apply(node: NodeProto, edit: Editing) -> str | None:
    equation = attribute(node, "equation")
    shapes = [edit.shape(name) for name in node.input]
    if equation is None or any(shape is None for shape in shapes):
        return "a shape is not known"
    known = [shape for shape in shapes if shape is not None]
    terms, result = _spelt(equation.s.decode(), [len(shape) for shape in known])
    repeated = any(len(set(term)) < len(term) for term in terms)
    if len(terms) > 1 and not repeated and any(len(term) > 1 for term in terms):
        return "it is a product of matrices"
    lengths = {
        letter: length
        for term, shape in zip(terms, known, strict=True)
        for letter, length in zip(term, shape, strict=True)
    }
    if math.prod(lengths.values()) > _LARGEST:
        return "its product would be too large"
    letters = result + "".join(letter for letter in lengths if letter not in result)
    operands = [
        _laid_out(edit, name, term, lengths, letters)
        for name, term in zip(node.input, terms, strict=True)
    ]
    value = reduce(lambda one, other: edit.emit("Mul", [one, other]), operands)
    summed = list(range(len(result), len(letters)))
    if summed:
        value = edit.summed(value, summed, keepdims=False)
    edit.emit("Identity", [value], node.output)
    return None


def _spelt(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Terms and result with a letter for each axis, those of `...` being capitals."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [letter for letter in string.ascii_uppercase if letter not in equation]
    most = 0
    for at, (term, rank) in enumerate(zip(terms, ranks, strict=True)):
        count = rank - len(term.replace("...", "")) if "..." in term else 0
        most = max(most, count)
        terms[at] = term.replace("...", "".join(free[:count][::-1]))
    batch = "".join(free[:most][::-1])
    if not arrow:
        counts = Counter("".join(terms))
        result = batch + "".join(
            sorted(letter for letter in counts if counts[letter] == 1 and letter not in batch)
        )
    return terms, result.replace("...", batch)


def _laid_out(edit: Editing, name: str, term: str, lengths: dict[str, int], letters: str) -> str:
    """The operand with an axis for each letter, of 1 where it has none."""
    value = name
    while len(set(term)) < len(term):
        second = next(at for at in range(len(term)) if term[at] in term[:at])
        first = term.index(term[second])
        unit = np.eye(lengths[term[first]])
        shape = [lengths[term[at]] if at in (first, second) else 1 for at in range(len(term))]
        diagonal = edit.constant(unit.reshape(shape), edit.dtype(name))
        value = edit.summed(edit.emit("Mul", [value, diagonal]), [second], keepdims=False)
        term = term[:second] + term[second + 1 :]
    order = sorted(range(len(term)), key=lambda at: letters.index(term[at]))
    if order != list(range(len(term))):
        value = edit.emit("Transpose", [value], perm=order)
    missing = [at for at, letter in enumerate(letters) if letter not in term]
    return edit.unsqueezed(value, missing) if missing else value


RULE = Rule("einsum_sums", frozenset({"Einsum"}), _apply)
