#!/usr/bin/env python3
"""Holds proto/*.proto against the descriptors that PyPI's pymilvus carries, field by field.

Every message, field, enum value and method here must exist there with the same number, type and label; names are compared
without case and underscores. An enum there may be an int32 here: both are varints.

    python3 -m venv .venv && .venv/bin/pip install pymilvus==2.5.9 && .venv/bin/python proto/check.py
"""
import pathlib
import re
import sys

from google.protobuf.descriptor import FieldDescriptor as F
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

HERE = pathlib.Path(__file__).parent
THEIRS = {"common.proto": common_pb2, "schema.proto": schema_pb2, "milvus.proto": milvus_pb2}
SCALARS = {F.TYPE_DOUBLE: "double", F.TYPE_FLOAT: "float", F.TYPE_INT64: "int64", F.TYPE_UINT64: "uint64", F.TYPE_INT32: "int32",
           F.TYPE_BOOL: "bool", F.TYPE_STRING: "string", F.TYPE_BYTES: "bytes", F.TYPE_UINT32: "uint32"}
FIELD = re.compile(r"(repeated )?(map<\s*\w+\s*,\s*[\w.]+\s*>|[\w.]+) (\w+) = (\d+);")
problems, compared = [], 0


def plain(name):
    return name.replace("_", "").lower()


def by_plain_name(things):
    return {plain(thing.name): thing for thing in things}


def type_of(field):
    """Theirs, as it would be written here: the last part of a message's or enum's name."""
    if field.type == F.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        return f"map<{type_of(key)},{type_of(value)}>"
    if field.type in (F.TYPE_MESSAGE, F.TYPE_ENUM):
        return plain((field.message_type or field.enum_type).name)
    return SCALARS[field.type]


def ours_as_written(text):
    inner = re.fullmatch(r"map<\s*(\w+)\s*,\s*([\w.]+)\s*>", text)
    if inner:
        return f"map<{inner[1]},{ours_as_written(inner[2])}>"
    last = text.split(".")[-1]
    return last if last in SCALARS.values() else plain(last)


def check_field(where, theirs, match):
    global compared
    compared += 1
    repeated, kind, name, number = match.groups()
    field = by_plain_name(theirs.fields).get(plain(name))
    if field is None:
        problems.append(f"{where}.{name}: not in {theirs.full_name}")
        return
    if field.number != int(number):
        problems.append(f"{where}.{name}: number {number} here, {field.number} there")
    same = ours_as_written(kind) == type_of(field) or (kind == "int32" and field.type == F.TYPE_ENUM)
    if not same:
        problems.append(f"{where}.{name}: {kind} here, {type_of(field)} there")
    if not kind.startswith("map<") and bool(repeated) != field.is_repeated:
        problems.append(f"{where}.{name}: repeated in one of the two only")


def check_file(path, module):
    global compared
    file = module.DESCRIPTOR
    text = re.sub(r"//.*", "", path.read_text())
    package = re.search(r"package ([\w.]+);", text)[1]
    if package != file.package:
        problems.append(f"{path.name}: package {package} here, {file.package} there")
    messages, enums = by_plain_name(file.message_types_by_name.values()), by_plain_name(file.enum_types_by_name.values())
    for name, body in re.findall(r"^message (\w+) \{(?:\}|(.*?)^\})", text, re.S | re.M):
        theirs = messages.get(plain(name))
        if theirs is None:
            problems.append(f"{path.name}: no message {name} there")
            continue
        for match in FIELD.finditer(body):
            check_field(name, theirs, match)
    for name, body in re.findall(r"^enum (\w+) \{(.*?)^\}$", text, re.S | re.M):
        values = by_plain_name(enums[plain(name)].values)
        for value, number in re.findall(r"(\w+) = (\d+);", body):
            compared += 1
            if plain(value) not in values or values[plain(value)].number != int(number):
                problems.append(f"{name}.{value} = {number}: not so there")
    for method, asked, answered in re.findall(r"rpc (\w+)\(([\w.]+)\) returns \(([\w.]+)\);", text):
        compared += 1
        theirs = file.services_by_name["MilvusService"].methods_by_name.get(method)
        if theirs is None or (plain(theirs.input_type.name), plain(theirs.output_type.name)) != (ours_as_written(asked), ours_as_written(answered)):
            problems.append(f"rpc {method}: not so there")


for file_name, theirs in THEIRS.items():
    check_file(HERE / file_name, theirs)
for problem in problems:
    print(problem, file=sys.stderr)
# A pattern that stopped matching would find no problem either.
if compared < 250:
    sys.exit(f"only {compared} fields, values and methods were found here: has the style of the .proto files changed?")
print(f"{compared} fields, values and methods compared, {len(problems)} differ")
sys.exit(1 if problems else 0)
