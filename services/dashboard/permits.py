"""What a page may offer to whoever looks at it, asked of the doors that guard the addresses themselves.

Templates ask `may("/alerts/7/change")` before they draw the form that posts there, and `who(…)` to say who else can:
the role is written once, at the route (`services.api.needs`).
"""

from dataclasses import dataclass

from services.access.roles import GRANTS, OF_PEOPLE, Principal
from services.api.needs import EVERYBODY, Doors


@dataclass(frozen=True, slots=True)
class Permits:
    """What one person may do at which address.

    Attributes:
        doors: of the app.
        principal: who looks; None before a login.
    """

    doors: Doors
    principal: Principal | None

    def may(self, target: str, method: str = "POST") -> bool:
        """Whether the server would let them do it; a query behind the path changes nothing."""
        needed = self.doors.needs_at(target.partition("?")[0], method)
        return needed == EVERYBODY or (self.principal is not None and self.principal.may(*needed))

    def who(self, target: str, method: str = "POST") -> str:
        """Who may do it: 'operators'; the weakest role of people that is enough."""
        needed = self.doors.needs_at(target.partition("?")[0], method)
        return next((f"{role.value}s" for role in OF_PEOPLE if not GRANTS[role].isdisjoint(needed)), "all")
