"""Wire shapes of projects and their members."""

from marshmallow import fields

from .base import Shown, Strict
from .fields import Choice, Expanded, Id, Instant, Int, Text
from .filters import Filter, id_parameter, page_parameters, query_schema
from .names import PersonName
from .tasks import TASK_FILTERS, Task

NAME = {"example": "Garden"}
# `deleting` is nobody's to see or to write.
STATUSES = ("active", "archived")


class ProjectCreate(Strict):
    """A new project; members are added one by one."""

    name = Text(200, 1, required=True, metadata=NAME)
    description = Text(10_000, load_default="")


class ProjectPut(ProjectCreate):
    """What can be written, whole. An archived project takes no more tasks."""

    status = Choice(*STATUSES, load_default="active")


class ProjectPatch(Strict):
    """A merge patch: what is left out stays."""

    name = Text(200, 1, metadata=NAME)
    description = Text(10_000)
    status = Choice(*STATUSES, metadata={"example": "archived"})


class Project(Shown):
    """A project as its owner, members and admins see it."""

    id = Id(attribute="_id")
    name = fields.String()
    description = fields.String()
    status = Choice(*STATUSES)
    owner_id = Id()
    members = Int(0, 500, metadata={"description": "How many members there are beside the owner."})
    created_at = Instant()
    updated_at = Instant()
    version = Int(1)
    owner = Expanded(PersonName)


class ProjectOwner(Strict):
    user_id = Id(
        required=True,
        metadata={"description": "The member who becomes the owner.", "example": "0123456789abcdef01234567"},
    )


class ProjectDeletion(Strict):
    tasks = Choice(
        "detach",
        "delete",
        metadata={"description": "What becomes of its tasks. Without it, a project with open tasks is not deleted."},
    )


PROJECT_FILTERS = (
    Filter("status", lambda: Choice(*STATUSES), ("eq", "neq", "in"), STATUSES),
    Filter("name", lambda: Text(200, 1), ("like",)),
)

ProjectQuery = query_schema(
    "ProjectQuery",
    PROJECT_FILTERS,
    ("id",),
    {
        "scope": Choice(
            "mine",
            "owned",
            "all",
            load_default="mine",
            metadata={
                "description": "`mine`: the caller takes part; `owned`: of the caller; `all`: everybody's (admin)."
            },
        ),
        "id": id_parameter(Id()),
        **page_parameters(Project),
    },
)
# As `/tasks?scope=project`, whose one index has the due date in it.
ProjectTaskQuery = query_schema("ProjectTaskQuery", TASK_FILTERS, ("due_at",), page_parameters(Task))


class Member(Shown):
    """Somebody who takes part in a project."""

    id = Id(attribute="_id")
    username = fields.String()
    name = fields.String()
    role = Choice("owner", "member")


MemberQuery = query_schema("MemberQuery", (), ("id",), page_parameters(Member))
