"""What a graph in MNN's JSON form is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

CONVOLUTIONS = ("Convolution", "ConvolutionDepthwise")
_PACKING = {1: "int8 table", 2: "int8 sparse", 3: "float16", 4: "int8", 8: "int8 static"}


def contents(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Ops by type, weights by how they are kept, and whatever else an outline is made of."""
    return {
        "ops": dict(Counter(op["type"] for op in graph["oplists"])),
        "weights": _weight_types(graph),
        "quant": _quantized_tensors(graph),
        "int8_convolutions": int8_convolutions(graph),
        "given": _readable(graph),
        "order": list(graph.get("outputName") or ()),
    }


def _readable(graph: Mapping[str, Any]) -> list[str]:
    """What ops give and a runner can read.

    Not what an int8 op gives and `describe_as_float` has called float, of which the scale tells:
    MNN 3.6.1 reads its codes as if they were floats.
    """
    hidden = {
        each["index"]
        for each in graph.get("extraTensorDescribe") or ()
        if each["quantInfo"].get("type") == "DT_FLOAT" and each["quantInfo"].get("scale") != 1.0
    }
    given = (index for op in graph["oplists"] for index in op["outputIndexes"])
    return [graph["tensorName"][index] for index in given if index not in hidden]


def pooled_tensors(graph: Mapping[str, Any]) -> set[int]:
    """Tensors that a pooling takes, which must not be int8.

    The int8 max pooling of MNN 3.6.1 on x86 keeps codes shifted by 128 and compares them with
    their sign, so that values above the middle of the range lose against those below.
    """
    return {op["inputIndexes"][0] for op in graph["oplists"] if op["type"] == "Pooling"}


def cuts_codes(op: Mapping[str, Any], codes: Collection[int]) -> bool:
    """Whether a ReLU is part of a sum (difference, product) of two tensors of codes.

    MNN 3.6.1 (`CPUBinaryInt8`) cuts such a one off below the code 0, whatever the zero-point: half
    of the values behind each block of a ResNet became the middle of its range.
    """
    return (
        op["type"] == "BinaryOp"
        and bool(op["main"].get("activationType"))
        and all(index in codes for index in op["inputIndexes"])
    )


def needless_relus(graph: Mapping[str, Any]) -> list[int]:
    """Places of the ops with such a ReLU whose lowest code means 0 anyway."""
    described = _int8_entries(graph)
    given = [described.get(op["outputIndexes"][0], {}) for op in graph["oplists"]]
    return [
        at
        for at, op in enumerate(graph["oplists"])
        if cuts_codes(op, described) and given[at].get("zero", 0) == given[at].get("min", -128)
    ]


def _weight_types(graph: Mapping[str, Any]) -> dict[str, int]:
    """How the weights of convolutions are kept: {"float32": 3, "int8": 57}."""
    kinds: Counter[str] = Counter()
    for op in graph["oplists"]:
        main = op.get("main", {})
        packed, plain = main.get("quanParameter") or {}, main.get("weight")
        # Those of a graph that was described without its large constants.
        elsewhere = main.get("external") if op["main_type"] == "Convolution2D" else None
        if packed.get("type"):
            kinds[_PACKING.get(packed["type"], f"packing {packed['type']}")] += 1
        elif elsewhere or (plain is not None and len(plain)):
            kinds["float32"] += 1
    return dict(kinds)


def _quantized_tensors(graph: Mapping[str, Any]) -> dict[str, tuple[float, int, int, int]]:
    """{tensor name: (scale, zero-point, lowest code, highest code)}."""
    names, found = graph.get("tensorName", []), {}
    for index, info in _int8_entries(graph).items():
        if info.get("scale") and index < len(names):
            codes = (info.get("zero", 0), info.get("min", -128), info.get("max", 127))
            zero, low, high = map(round, codes)
            found[names[index]] = (info["scale"], zero, low, high)
    return found


def affines(graph: Mapping[str, Any]) -> dict[int, tuple[float, int]]:
    """Scale and zero-point of the tensors that are described as int8."""
    return {
        index: (info.get("scale", 0.0), round(info.get("zero", 0)))
        for index, info in _int8_entries(graph).items()
    }


def _int8_entries(graph: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """What the tensors that are described as int8 are described by."""
    entries = {
        tensor["index"]: tensor.get("quantInfo") or {}
        for tensor in graph.get("extraTensorDescribe") or ()
    }
    return {
        index: info for index, info in entries.items() if info.get("type", "DT_INT8") == "DT_INT8"
    }


def int8_convolutions(graph: Mapping[str, Any]) -> tuple[int, int]:
    """How many convolutions of a graph in MNN's JSON form run in int8, and how many there are.

    Integer weights alone do not make one: the tensors it takes and gives must have scales.
    """
    described = _int8_entries(graph)
    convolutions = [op for op in graph["oplists"] if op["type"] in CONVOLUTIONS]
    done = [
        op
        for op in convolutions
        if op["main"].get("quanParameter")
        and op["inputIndexes"][0] in described
        and op["outputIndexes"][0] in described
    ]
    return len(done), len(convolutions)
