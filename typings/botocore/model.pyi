from collections.abc import Mapping, Sequence

class Shape:
    name: str
    type_name: str
    metadata: Mapping[str, object]
    documentation: str

class StructureShape(Shape):
    members: Mapping[str, Shape]
    required_members: Sequence[str]
    error_code: str | None

class ListShape(Shape):
    member: Shape

class MapShape(Shape):
    key: Shape
    value: Shape

class StringShape(Shape):
    enum: Sequence[str]

class OperationModel:
    name: str
    input_shape: StructureShape | None
    output_shape: StructureShape | None
    error_shapes: Sequence[StructureShape]

class ServiceModel:
    operation_names: Sequence[str]
    def __init__(self, service_description: Mapping[str, object], service_name: str | None = None) -> None: ...
    def operation_model(self, operation_name: str) -> OperationModel: ...
    def shape_for(self, shape_name: str) -> Shape: ...
