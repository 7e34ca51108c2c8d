"""Pages about people's attention: silences by form, rules with their preview, bad actors, commonality."""

from services.records import queries
from tests.services.api.conftest import Service, serve, service  # noqa: F401 - fixtures
from tests.services.dashboard.test_pages import HTML, found, shown


def test_a_trouble_is_silenced_from_its_page_and_stands_aside(service: Service) -> None:  # noqa: F811
    found(service)
    page = service.client.get("/alerts/1", headers=HTML).text
    assert "/silences?rule=pattern&amp;pattern=Ring&amp;product=P1&amp;step=ETCH&amp;tool=T9" in page
    assert 'value="T9"' in service.client.get("/silences?tool=T9", headers=HTML).text
    form = {"tool": "T9", "reason": "chuck 2", "hours": "8"}
    assert service.client.post("/silences", data=form).status_code == 303
    assert "chuck 2" in shown(service, "/silences")
    assert "Quiet until" in shown(service, "/alerts/1")
    assert "Nothing needs you" in shown(service, "/alerts")
    assert "Ring" in shown(service, "/alerts?state=silenced")
    assert service.client.post("/silences/1/end").status_code == 303
    assert "ended by local" in shown(service, "/silences")
    assert "Ring" in shown(service, "/alerts")


def test_a_form_that_is_not_complete_says_what_it_needs_and_keeps_what_was_said(service: Service) -> None:  # noqa: F811
    answer = service.client.post("/silences", data={"tool": "T9", "reason": " "}, headers=HTML)
    assert answer.status_code == 422
    assert "A silence needs a reason." in answer.text
    assert 'value="T9"' in answer.text
    assert service.client.post("/silences", data={"tool": "T9", "reason": "x", "kind": "siesta"}).status_code == 422


def test_maintenance_is_announced(service: Service) -> None:  # noqa: F811
    form = {"tool": "T9", "reason": "weekly", "kind": "maintenance", "starts_at": "2099-01-01T06:00", "every_days": "7"}
    assert service.client.post("/silences", data=form).status_code == 303
    page = shown(service, "/silences")
    assert "planned" in page
    assert "2099-01-01 06:00" in page
    assert "every week" in page


def test_the_rules_and_what_they_would_have_raised(service: Service) -> None:  # noqa: F811
    found(service)
    assert "Choose how far back" in shown(service, "/rules")
    page = shown(service, "/rules?days=7")
    assert "Ring · P1 · ETCH · T9" in page
    assert "1 message to each channel" in page


def test_bad_actors(service: Service) -> None:  # noqa: F811
    assert "No alert was opened" in shown(service, "/bad-actors")
    found(service)
    page = shown(service, "/bad-actors?days=30")
    assert "100 %" in page
    assert "1 operator can answer about 1" in page


def test_an_alert_says_what_affected_wafers_share(service: Service) -> None:  # noqa: F811
    found(service)
    assert "Nothing beyond chance" in shown(service, "/alerts/1")
    with service.database.read() as session:
        assert queries.alerts(session).items
