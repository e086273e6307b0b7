"""Parses TARGET, --input, --arg and --dtype. Does not import torch, and opens a file only to say what it defines."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnninspect.errors import UsageError
from cnninspect.report.quantities import Shape

OPTIONAL = {
    "transformers": ("transformers", "transformers"),
    "diffusers": ("diffusers", "diffusers"),
    "smp": ("segmentation_models_pytorch", "segmentation-models-pytorch"),
    "open_clip": ("open_clip", "open_clip_torch"),
    "monai": ("monai", "monai"),
    "ultralytics": ("ultralytics", "ultralytics"),
}
"""Provider of an optional package -> the name that is imported, the name that pip installs."""

BUILT_IN = ("zoo", "torchvision", "timm", *OPTIONAL)
"""The providers that come with the package; a bare name is looked up in the first four, in this order."""

HUB_FILE = "hubconf.py"
"""The file of a repository that defines what torch.hub can load."""

CONFIG = "config.json"
PIPELINE = "model_index.json"
"""The files of a folder that describe a network, and a pipeline of several."""

SAFETENSORS = ".safetensors"
INDEX = ".safetensors.index.json"
"""The endings of a file of tensors, and of the index of several."""

PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib", ".tar")
WEIGHTS = (".npz", ".h5")
_CODE = "Name the PyTorch code that builds the network, as file.py:attr."
_OTHERS = {
    ".gguf": f"a GGUF file of llama.cpp, whose blocks of quantised weights are not read. {_CODE}",
    ".onnx": f"an ONNX graph, which has no PyTorch modules. {_CODE}",
    ".keras": f"a Keras model. {_CODE}",
    ".tflite": f"a TensorFlow Lite model. {_CODE}",
    ".pb": f"a TensorFlow graph. {_CODE}",
    ".ipynb": "a notebook. Call `cnninspect.inspect_model(model, (1, 3, 224, 224))` in it.",
    ".yaml": f"a configuration, not a network. {_CODE}",
    ".yml": f"a configuration, not a network. {_CODE}",
    ".toml": f"a configuration, not a network. {_CODE}",
}
"""Ending of a file that holds no PyTorch network -> the rest of a message."""

FORMS = "NAME, PROVIDER:NAME, package.module:attr, file.py:attr, model.pt2 or a folder with config.json"

FLOATING = ("float32", "float64", "float16", "bfloat16")
DTYPES = (
    *FLOATING, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip
ALIASES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "fp16": "float16",
    "fp32": "float32",
    "fp64": "float64",
    "bf16": "bfloat16",
    "long": "int64",
    "int": "int32",
}

_FILE = re.compile(r"(?P<path>.+\.py):(?P<attr>.*)", re.IGNORECASE | re.DOTALL)
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_ARGUMENT = re.compile(r"[^\W\d]\w*(\.\w+)*")
_NAME = re.compile(r"[\w.\-]+")
_WORD = re.compile(r"[A-Za-z][\w.\-/]*")
_MISSPELT_CONSTANTS = {"true": "True", "false": "False", "none": "None", "null": "None"}


@dataclass(frozen=True)
class Named:
    """The name of a model; `provider` None means the first provider that has it."""

    name: str
    provider: str | None = None


@dataclass(frozen=True)
class FromModule:
    """The attribute `attr` of an importable module, or the model `member` of those that it holds or returns."""

    module: str
    attr: str
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.module}:{self.attr}"


@dataclass(frozen=True)
class FromFile:
    """The attribute `attr` of a Python file, or the model `member` of those that it holds or returns."""

    path: Path
    attr: str
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.attr}"


@dataclass(frozen=True)
class Archive:
    """A model saved by torch.export."""

    path: Path


@dataclass(frozen=True)
class Folder:
    """A folder, which may hold a model's configuration."""

    path: Path


Reference = Named | FromModule | FromFile | Archive | Folder


def parse_target(spec: str, plugins: Collection[str] = ()) -> Reference:
    """The reference that `spec` stands for; `plugins` are the names of further providers. Raises UsageError."""
    text = spec.strip()
    if not text:
        raise UsageError(f"the target is empty. A target is {FORMS}.")
    if match := _FILE.fullmatch(text):
        attr, member = _with_member(match["attr"])
        return FromFile(Path(match["path"]), _attribute(text, attr), member)
    left, colon, right = text.partition(":")
    if colon and left == "hub":
        return _in_clone(text, right)
    if colon and (left in BUILT_IN or left in plugins):
        return Named(right if right and Path(right).is_dir() else _name(text, right), left)
    _refuse_other_files(text)
    if text.lower().endswith(".pt2"):
        return Archive(Path(text))
    _refuse_other_places(text)
    if Path(text).is_dir():
        return Named(text) if _NAME.fullmatch(text) and text.strip(".") else Folder(Path(text))
    if colon and _ATTRIBUTE.fullmatch(left):
        attr, member = _with_member(right)
        return FromModule(left, _attribute(text, attr), member)
    if colon:
        raise UsageError(f"{text!r} cannot be read: {left!r} is not a Python file or module. A target is {FORMS}.")
    return Named(_name(text, text))


def _in_clone(text: str, place: str) -> FromFile:
    """The entry of `hub:FOLDER:NAME`, in a clone here, or in the folder where torch.hub keeps `OWNER/NAME`."""
    folder, _, entry = place.rpartition(":")
    cache = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch") / "hub"
    kept = sorted(cache.glob(f"{folder.replace('/', '_')}_*")) if folder.count("/") == 1 else []
    for clone in (Path(folder), *kept):
        if folder and (clone / HUB_FILE).is_file():
            return FromFile(clone / HUB_FILE, _attribute(text, entry))
    raise UsageError(
        f"{text!r}: there is no clone with a {HUB_FILE} at {folder!r}, and hubs are not read over the network. "
        "Clone the repository, and write hub:FOLDER:NAME."
    )


def _refuse_other_files(text: str) -> None:
    """Raises UsageError for files that contain no network, or one that cannot be loaded safely."""
    suffix = Path(text).suffix.lower()
    if suffix in _OTHERS:
        raise UsageError(f"{text!r} is {_OTHERS[suffix]}")
    if suffix in PICKLES:
        raise UsageError(
            f"{text!r} is a pickle or TorchScript: loading it can run any code, and it usually holds weights without "
            "the network. "
            "Name the code that builds the network (file.py:attr), or save it with torch.export.save as model.pt2."
            + _how_to_convert(text)
        )
    if text.lower().endswith((SAFETENSORS, INDEX)) and not Path(text).is_dir():
        raise UsageError(holds_weights(text, text))
    if text.lower().endswith(".bin.index.json"):
        raise UsageError(f"{text!r} is the index of pickles, which are not read. Save the weights as safetensors.")
    if suffix in WEIGHTS:
        raise UsageError(f"{text!r} holds weights, not a network. Name the code that builds it, as file.py:attr.")
    if suffix == ".json":
        raise UsageError(f"{text!r} is a saved report. Only `compare` takes one: `cnninspect compare {text}`.")
    if suffix == ".py":
        known = defined_in(Path(text))
        hint = f" It has {', '.join(known)}." if known else ""
        example = known[0] if known else "Net"
        raise UsageError(f"{text!r} does not say what to take from the file.{hint} Write {text}:{example}.")


_URL = re.compile(r"[a-z][a-z0-9+.\-]*://.*|hf[-_]hub:.*|(www\.|github\.com/|huggingface\.co/).*", re.IGNORECASE)


def _refuse_other_places(text: str) -> None:
    """Raises UsageError for a URL and for a name of a hub, such as `microsoft/resnet-50`; nothing is downloaded."""
    step = "Name code here that builds the network, as file.py:attr; `cnninspect models` lists the known names."
    if _URL.fullmatch(text):
        raise UsageError(f"{text!r} is a place on the network: hubs and URLs are not read. {step}")
    if re.fullmatch(r"[\w.\-]+(/[\w.\-]+)+", text) and not Path(text).exists():
        raise UsageError(f"there is no file or folder {text!r} here, and names on hubs are not read. {step}")


def holds_weights(text: str, place: str) -> str:
    """The sentences on a checkpoint where a network is wanted; `summary` lists what is at the place."""
    return (
        f"{text!r} holds weights, not a network. `cnninspect summary {shlex.quote(place)}` lists its tensors; for all "
        "else name the code that builds the network, as file.py:attr."
    )


def _how_to_convert(text: str) -> str:
    """Sentences, after a space, that say how the tensors of a pickle are listed.

    The command has its names in brackets, so that it also works with the line breaks of a terminal.
    """
    path = Path(text)
    if path.suffix.lower() in (".joblib", ".pkl", ".pickle"):
        return ""
    wanted = path.with_suffix(SAFETENSORS)
    code = (
        f'(t := __import__("torch"), d := t.load({json.dumps(text)}, map_location="cpu", weights_only=True), '
        '__import__("safetensors.torch").torch.save_file({k: v.clone().contiguous() for k, v in '
        f'd.get("state_dict", d.get("model", d)).items() if t.is_tensor(v)}}, {json.dumps(str(wanted))}))'
    )
    missing = find_spec("safetensors") is None
    first = "`python -m pip install safetensors`, and " if missing else ""
    return (
        f" To list its tensors, convert it without running code: {first}`python -c {shlex.quote(code)}`; "
        f"`summary` takes the {wanted.name} that it writes."
    )


def how_to_save(path: Path) -> str:
    """The sentence that says how to write an archive."""
    call = f"`torch.export.save(torch.export.export(model, (x,)), {str(path)!r})`"
    return f"Save the model with torch.export.save: {call}, with an input x."


def defined_in(path: Path) -> list[str]:
    """The classes and functions that a Python file defines, by parsing it; empty for a file that cannot be read."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return []
    return [each.name for each in tree.body if isinstance(each, (ast.ClassDef, ast.FunctionDef))]


def first_class(file: Path) -> str | None:
    """`nets.py:Net` for the first class that the file defines, by parsing it."""
    return next((f"{file}:{name}" for name in defined_in(file) if name[:1].isupper()), None)


_MEMBER = re.compile(r"(?P<attr>[^\[]*)\[(?P<member>.+)\]", re.DOTALL)


def _with_member(text: str) -> tuple[str, str | None]:
    """`build_all[small]` as (`build_all`, `small`); the second is None without brackets."""
    match = _MEMBER.fullmatch(text)
    return (text, None) if match is None else (match["attr"], match["member"])


def _attribute(text: str, attr: str) -> str:
    if not _ATTRIBUTE.fullmatch(attr):
        file = text.partition(":")[0]
        known = defined_in(Path(file))
        forms = f"It has {', '.join(known)}. Write {file}:{known[0]}" if known else f"A target is {FORMS}"
        raise UsageError(f"{text!r}: {attr!r} is not the name of a class, function or model. {forms}.")
    return attr


def _name(text: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{text!r}: {name!r} is not the name of a model. A target is {FORMS}.")
    return name


@dataclass(frozen=True)
class InputSpec:
    """Shape and dtype of one input tensor, batch first as the model takes it.

    `dtype` None means the dtype of the parameters. `keyword` is the name of the forward's argument, None for a
    positional one. Adjacent `listed` tensors are passed as one list, such as the images of a detection model.
    """

    shape: Shape
    dtype: str | None = None
    keyword: str | None = None
    listed: bool = False

    def __str__(self) -> str:
        shape = "x".join(str(size) for size in self.shape)
        name = f"{self.keyword}=" if self.keyword else ""
        return f"{name}{shape}:{self.dtype}" if self.dtype else f"{name}{shape}"


@dataclass(frozen=True)
class Given:
    """Inputs as values: the arguments of the forward."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def parameter_dtype(text: str) -> str:
    """torch's name of a floating point dtype; UsageError for other dtypes, which parameters cannot have."""
    name = dtype_name(text)
    if name not in FLOATING:
        raise UsageError(f"parameters cannot be converted to {name}. Use {', '.join(FLOATING)}.")
    return name


def dtype_name(text: str) -> str:
    """torch's name of a dtype; UsageError with the known names for others."""
    name = text.strip().removeprefix("torch.")
    name = ALIASES.get(name, name)
    if name not in DTYPES:
        raise UsageError(f"there is no dtype {text!r}. Known: {', '.join(DTYPES)}.")
    return name


def parse_arguments(texts: Iterable[str]) -> dict[str, Any]:
    """Name -> value of constructor arguments from `NAME=VALUE` texts; UsageError for wrong or repeated ones."""
    arguments: dict[str, Any] = {}
    for text in texts:
        name, value = parse_argument(text)
        if name in arguments:
            raise UsageError(f"--arg {name} is given twice. Keep one of them.")
        arguments[name] = value
    return arguments


def parse_argument(text: str) -> tuple[str, Any]:
    """(name, value) of one `NAME=VALUE`.

    The name may reach into the value of an argument, `config.depth`. The value is a Python literal, a bare word, which
    is a string, or an import path such as `torch.nn:GELU`, which is a FromModule or FromFile.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not _ARGUMENT.fullmatch(name):
        if text.isidentifier():
            wanted = f"{text}=VALUE"
        elif equals and (named := _ARGUMENT.fullmatch(name.strip("."))):
            wanted = f"{named[0]}={value}"
        else:
            wanted = f"NAME={text.lstrip('=')}"
        raise UsageError(f"--arg {text!r} is not NAME=VALUE. Write --arg {wanted}.")
    return name, _value(f"--arg {name}", value.strip())


def argument_text(name: str, value: Any) -> str:
    """The `NAME=VALUE` that `parse_argument` reads as these."""
    return f"{name}={value}" if isinstance(value, (FromModule, FromFile)) else f"{name}={value!r}"


def _value(name: str, value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    # "false" as a string would be true to every constructor.
    if value.lower() in _MISSPELT_CONSTANTS:
        constant = _MISSPELT_CONSTANTS[value.lower()]
        raise UsageError(f"{name}={value} is not a Python literal. Write {name}={constant}.")
    if _WORD.fullmatch(value):
        return value
    if match := _FILE.fullmatch(value):
        return FromFile(Path(match["path"]), _attribute(value, match["attr"]))
    module, _, attr = value.partition(":")
    if _ATTRIBUTE.fullmatch(module) and _ATTRIBUTE.fullmatch(attr):
        return FromModule(module, attr)
    raise UsageError(
        f"{name}={value} is not a Python literal. Write a value such as 3, 0.5, True, (3, 3) or 'text', "
        "or a class as package.module:Class."
    )


@dataclass(frozen=True)
class Method:
    """A method to run in the place of the forward, with keyword arguments that are no tensors."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({given})" if given else self.name


def parse_method(text: str) -> Method:
    """The method of `--call`: `NAME`, or `NAME(NAME=VALUE, ...)` with Python literals. Raises UsageError."""
    wanted = UsageError(
        f"--call {text!r} is not the name of a method. Write, for example, --call encode_image or "
        "--call 'generate(max_new_tokens=4)'."
    )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return Method(tree.id)
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
            raise wanted
        given = {str(each.arg): ast.literal_eval(each.value) for each in tree.keywords if each.arg is not None}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise wanted from None
    if len(given) < len(tree.keywords):
        raise wanted
    return Method(tree.func.id, given)


def parse_inputs(texts: Iterable[str]) -> tuple[InputSpec, ...]:
    """The inputs for the texts of `--input`, in order; UsageError for a repeated keyword."""
    specs = tuple(parse_input(text) for text in texts)
    keywords = [spec.keyword for spec in specs if spec.keyword is not None]
    for keyword in keywords:
        if keywords.count(keyword) > 1:
            raise UsageError(f"--input {keyword}= is given twice. Keep one of them.")
    return specs


def parse_input(text: str) -> InputSpec:
    """One `[NAME=]SHAPE[:DTYPE]`, such as `1x3x224x224` or `ids=2x77:int64`."""
    keyword, equals, rest = text.rpartition("=")
    if equals and not keyword.strip().isidentifier():
        raise UsageError(f"--input {text!r}: {keyword!r} is not the name of an argument.")
    sizes, colon, dtype = rest.partition(":")
    if colon and not dtype.strip():
        raise UsageError(f"--input {text!r} ends in a colon. Write SHAPE or SHAPE:DTYPE, such as 2x77:int64.")
    return InputSpec(parse_shape(sizes, text), dtype_name(dtype) if colon else None, keyword.strip() or None)


def parse_shape(sizes: str, text: str | None = None) -> Shape:
    """The shape for a text such as `1x3x224x224`; UsageError, quoting `text`, unless all sizes are positive."""
    where = f"--input {sizes if text is None else text!r}"
    if not sizes.strip():
        raise UsageError(f"{where} has no shape. Write sizes joined by x, such as 1x3x224x224.")
    return tuple(_size(part.strip(), where) for part in sizes.lower().split("x"))


def _size(part: str, where: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", part, re.ASCII):
        raise UsageError(f"{where}: {part!r} is not a size. Write sizes joined by x, such as 1x3x224x224.")
    if int(part) <= 0:
        raise UsageError(f"{where}: size {part} is not positive. A tensor with such a size holds nothing to inspect.")
    return int(part)
