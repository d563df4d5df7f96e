"""What things are called, for others that name them. The id alone is always there, see `Expanded`."""

from marshmallow import fields

from .base import Strict
from .fields import Id, OwnedId


class PersonName(Strict):
    """What somebody is called."""

    id = Id(attribute="_id", required=True)
    username = fields.String()
    name = fields.String()


class ProjectName(Strict):
    """What a project is called."""

    id = Id(attribute="_id", required=True)
    name = fields.String()


class TaskName(Strict):
    """What a task is called."""

    id = OwnedId(required=True)
    title = fields.String()
