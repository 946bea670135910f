//! What goes over the wire: the protobuf types generated from `proto/`, and a codec that passes encoded messages through.
