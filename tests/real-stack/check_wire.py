"""Holds the descriptors of this repository's proto/ against those that PyPI's pymilvus carries, one by one.

    check_wire.py [PROTO_FOLDER]

proto/ is a subset: every message, field, enum value and call in it must exist in pymilvus's descriptors, under the same
name, with the same number, type, label and presence. Two liberties are taken, for neither is on the wire: all names but
those of calls are compared without case and underscores (Milvus mixes both styles), and an int32 here may stand for an enum
there.

Exit status: 0 nothing differs, 1 something does (one line each).
"""

import pathlib
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FieldDescriptor
from grpc_tools import protoc
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

THEIRS = {file.DESCRIPTOR.name: file.DESCRIPTOR for file in (common_pb2, schema_pb2, milvus_pb2)}
DEFAULT_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "proto"
TYPE_NAMES = {
    value: name.removeprefix("TYPE_").lower() for name, value in vars(FieldDescriptor).items() if name.startswith("TYPE_")
}


def plain(name):
    return name.replace("_", "").lower()


class Comparison:
    """What was compared and what differs."""

    def __init__(self):
        self.compared = 0
        self.differences = []

    def same(self, where, what, ours, theirs):
        if ours != theirs:
            self.differences.append(f"{where}: {what} is {ours} here, {theirs} there")

    def pairs(self, kind, where, ours, theirs):
        """Ours with theirs of the same plain name; those without one are differences."""
        known = {plain(thing.name): thing for thing in theirs}
        for thing in ours:
            self.compared += 1
            twin = known.get(plain(thing.name))
            if twin is None:
                self.differences.append(f"{where}: {kind} {thing.name} is not there")
            else:
                yield thing, twin

    def field(self, where, ours, theirs):
        self.same(where, "number", ours.number, theirs.number)
        self.same(where, "label", label(ours), label(theirs))
        # A member of a oneof, and an `optional` field, are sent even when they are zero.
        self.same(where, "presence", ours.has_presence, theirs.has_presence)
        if not (ours.type == FieldDescriptor.TYPE_INT32 and theirs.type == FieldDescriptor.TYPE_ENUM):
            self.same(where, "type", type_of(ours), type_of(theirs))

    def message(self, ours, theirs):
        self.same(ours.full_name, "full name", plain(ours.full_name), plain(theirs.full_name))
        for field, twin in self.pairs("field", ours.full_name, ours.fields, theirs.fields):
            self.field(field.full_name, field, twin)
        for nested, twin in self.pairs("message", ours.full_name, ours.nested_types, theirs.nested_types):
            self.message(nested, twin)
        for enum, twin in self.pairs("enum", ours.full_name, ours.enum_types, theirs.enum_types):
            self.enum(enum, twin)

    def enum(self, ours, theirs):
        for value, twin in self.pairs("value", ours.full_name, ours.values, theirs.values):
            self.same(f"{ours.full_name}.{value.name}", "number", value.number, twin.number)

    def service(self, ours, theirs):
        self.same(ours.full_name, "full name", ours.full_name, theirs.full_name)
        for call, twin in self.pairs("call", ours.full_name, ours.methods, theirs.methods):
            # The path of a call is made of these names, so here even their case counts.
            self.same(call.full_name, "path", call.full_name, twin.full_name)
            self.same(call.full_name, "request", call.input_type.full_name, twin.input_type.full_name)
            self.same(call.full_name, "response", call.output_type.full_name, twin.output_type.full_name)
            self.same(call.full_name, "streaming", streaming(call), streaming(twin))

    def file(self, ours, theirs):
        self.same(ours.name, "package", ours.package, theirs.package)
        for message, twin in self.pairs(
            "message", ours.name, ours.message_types_by_name.values(), theirs.message_types_by_name.values()
        ):
            self.message(message, twin)
        for enum, twin in self.pairs("enum", ours.name, ours.enum_types_by_name.values(), theirs.enum_types_by_name.values()):
            self.enum(enum, twin)
        for service, twin in self.pairs(
            "service", ours.name, ours.services_by_name.values(), theirs.services_by_name.values()
        ):
            self.service(service, twin)


def label(field):
    return "repeated" if field.label == FieldDescriptor.LABEL_REPEATED else "single"


def streaming(call):
    return (call.client_streaming, call.server_streaming)


def type_of(field):
    if field.message_type is not None:
        return plain(field.message_type.full_name)
    if field.enum_type is not None:
        return plain(field.enum_type.full_name)
    return TYPE_NAMES[field.type]


def descriptors_of(folder):
    """Ours, in a pool of their own: the full names are the same as pymilvus's."""
    protos = sorted(path.name for path in folder.glob("*.proto"))
    if not protos:
        sys.exit(f"no .proto file in {folder}")
    with tempfile.TemporaryDirectory() as temporary:
        written = pathlib.Path(temporary) / "ours.bin"
        if protoc.main(["protoc", f"-I{folder}", f"--descriptor_set_out={written}", "--include_imports", *protos]) != 0:
            sys.exit(f"the .proto files in {folder} do not compile")
        files = descriptor_pb2.FileDescriptorSet.FromString(written.read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return [pool.FindFileByName(name) for name in protos]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FOLDER
    comparison = Comparison()
    for file in descriptors_of(folder):
        if file.name in THEIRS:
            comparison.file(file, THEIRS[file.name])
        else:
            comparison.differences.append(f"{file.name}: pymilvus has no file of that name")
    for difference in comparison.differences:
        print(difference, file=sys.stderr)
    print(f"wire: {comparison.compared} names compared, {len(comparison.differences)} differ")
    # An empty comparison finds no difference either.
    sys.exit(1 if comparison.differences or not comparison.compared else 0)


main()
