"""What a request belongs to."""

from __future__ import annotations

from starlette.requests import Request

from simulator.state import School


def school_of(request: Request) -> School:
    """Return the school that the application plays."""
    school: School = request.app.state.school
    return school
