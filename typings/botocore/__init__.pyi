__version__: str
UNSIGNED: object
