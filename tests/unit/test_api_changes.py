"""Who is told what of a change: the rule, and what happens when changes and memberships overtake each other. Pure."""

from typing import Any

import pytest
from bson import ObjectId, Timestamp

from api.changes.change import Change, Place, change_of, place_at
from api.changes.viewer import Viewer
from api.store.owned import change as update_of

OWNER, ME, PROJECT, TASK = ObjectId(), ObjectId(), ObjectId(), ObjectId()
ALL = ("tasks", "events", "projects", "reminders")
LONG_AGO, NOW = Place(0, 0), Place(100, 0)


def task(version: int = 1, **fields: Any) -> dict[str, Any]:
    own = {"_id": TASK, "owner_id": OWNER, "assignee_id": None, "project_id": None, "status": "pending"}
    return {**own, "version": version, **fields}


def event(kind: str, found: Any, at: int = 1, **told: Any) -> dict[str, Any]:
    coll = "projects" if found and "member_ids" in found else "tasks"
    key = {"_id": PROJECT} if coll == "projects" else {"_id": TASK, "owner_id": OWNER}
    of_update = {"updateDescription": {"updatedFields": told}} if kind == "update" else {}
    shape = {"operationType": kind, "ns": {"coll": coll}, "documentKey": key, "clusterTime": Timestamp(at, 1)}
    return {**shape, "fullDocument": found, **of_update}


def seen(found: dict[str, Any]) -> Change | None:
    return change_of(found, place_at(found["clusterTime"], 1))


def told(viewer: Viewer, *events: dict[str, Any]) -> list[tuple[str, int]]:
    changes = [seen(each) for each in events]
    heard = [viewer.told_of(change) for change in changes if change]
    return [(each.kind, each.change.version) for each in heard if each]


def viewer(settled: Place = LONG_AGO, present: Any = None, **known: Any) -> Viewer:
    return Viewer(
        ME, known.get("projects", {}), settled, lambda change: present, ALL, is_new=known.get("is_new", False)
    )


def project(version: int, *member_ids: ObjectId) -> dict[str, Any]:
    return {"_id": PROJECT, "owner_id": OWNER, "member_ids": list(member_ids), "version": version, "status": "active"}


def test_a_change_that_no_client_sees_is_none() -> None:
    """A lease, a count of runs: without a new version nothing can be seen."""
    assert seen(event("update", task(3), runs=4)) is None


def test_what_was_written_later_is_told_later() -> None:
    """The look at the document came late: its content belongs to a change that may not be theirs."""
    assert told(viewer(), event("update", task(3, assignee_id=ME), version=2)) == []
    assert told(viewer(), event("update", task(3, assignee_id=ME), version=3)) == [("updated", 3)]


def test_who_lost_sight_is_told_though_the_document_has_moved_on_or_gone() -> None:
    lost = {"version": 2, "left": f"2 {ME} "}
    assert told(viewer(), event("update", task(3), **lost)) == [("removed", 2)]
    assert told(viewer(), event("update", None, **lost)) == [("removed", 2)]
    # Theirs again by now: what comes next brings it.
    assert told(viewer(), event("update", task(3, assignee_id=ME), **lost)) == [("removed", 2)]


def test_a_mark_is_told_once() -> None:
    """It stays in the document; servers that log whole documents show it with every later version."""
    assert told(viewer(), event("replace", task(2, left=f"2 {ME}"))) == [("removed", 2)]
    assert told(viewer(), event("replace", task(3, left=f"2 {ME}"))) == []


def test_a_membership_counts_from_its_place_in_the_stream() -> None:
    in_project = {"project_id": PROJECT}
    heard = told(
        viewer(),
        event("update", task(2, **in_project), at=1, version=2),
        event("update", project(2, ME), at=2, version=2),
        event("update", task(3, **in_project), at=3, version=3),
        event("update", project(3), at=4, version=3, left=f"3 {ME}"),
        event("update", task(4, **in_project), at=5, version=4),
    )
    assert heard == [("updated", 2), ("updated", 3), ("removed", 3)]


def test_a_membership_that_was_read_is_not_undone_by_its_own_history() -> None:
    """The stream is behind what was read: the project's first versions come afterwards."""
    me = viewer(NOW, present=task(2, project_id=PROJECT), projects={PROJECT: 2})
    heard = told(
        me,
        event("insert", project(1), at=1),
        event("update", project(4, ME), at=2, version=2),
        event("update", task(2, project_id=PROJECT), at=3, version=2),
    )
    assert heard == [("updated", 2)]


@pytest.mark.parametrize(("present", "expected"), [(None, []), (task(9), []), (task(2), [("updated", 2)])])
def test_what_is_older_than_the_memberships_is_told_if_it_is_seen_now(present: Any, expected: list[Any]) -> None:
    me = viewer(NOW, present=present, projects={PROJECT: 2})
    assert told(me, event("update", task(2, project_id=PROJECT), version=2)) == expected


def test_who_is_new_hears_of_nothing_before() -> None:
    """And keeps count of memberships all the same."""
    me = viewer(NOW, is_new=True)
    assert told(me, event("update", project(2, ME), at=99, version=2)) == []
    assert told(me, event("update", task(2, project_id=PROJECT), at=101, version=2)) == [("updated", 2)]


def test_a_deletion_is_told_to_who_could_see_it() -> None:
    def entry(**before: Any) -> dict[str, Any]:
        whole = {"action": "task.delete", "resource": "tasks", "resource_id": TASK}
        whole["before"] = {"version": 3, "owner_id": OWNER, **before}
        return {
            "operationType": "insert",
            "ns": {"coll": "audit"},
            "fullDocument": whole,
            "clusterTime": Timestamp(1, 1),
        }

    assert told(viewer(), entry()) == []
    assert told(viewer(), entry(assignee_id=ME)) == [("deleted", 3)]
    assert told(viewer(projects={PROJECT: 1}), entry(project_id=PROJECT)) == [("deleted", 3)]


def test_places_are_ordered_as_the_stream_is() -> None:
    assert Place(1, 2) < Place(1, 2, 1) < Place(1, 3) < Place(2, 0)


def test_an_update_marks_whom_it_may_hide_the_document_from() -> None:
    """Only such an update, so that other ones write no more than they did."""
    at: Any = None
    assert "left" not in update_of({"title": "x"}, None, None, at)[0]["$set"]
    assert "left" in update_of({"assignee_id": None}, None, None, at)[0]["$set"]
    assert "left" in update_of({}, None, None, at, {"member_ids": []}, [ME])[0]["$set"]
