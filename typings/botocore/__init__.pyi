__version__: str
UNSIGNED: object

def xform_name(name: str) -> str: ...
