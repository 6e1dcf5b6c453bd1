"""What the service says of itself."""

from llkd_client.shapes.base import Shape


class Health(Shape):
    status: str


class Version(Shape):
    version: str
