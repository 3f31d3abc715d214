"""quotad's values on the wire: `x_message` writes a protobuf message, `read_x` reads one back.

Shared by server and client, so that both ends agree by construction. A message that does not have the contract's
shape is `Malformed` and names the field; whether a well-formed value is acceptable is the core's to say.
"""
