"""Which page is where."""

from aiohttp import web

from booking.routes.html import change, eligibility, find, hold, identify, manage, places, start, waitlist


def routes() -> list[web.RouteDef]:
    number = "{slot_id:[0-9]{1,15}}"
    return [
        web.get("/", start.start),
        web.get("/booking/start-over", start.start),
        web.post("/booking/start-over", start.start_over),
        web.get("/booking/finish", start.start),
        web.post("/booking/finish", start.finish),
        web.get("/booking/eligibility", eligibility.ask),
        web.post("/booking/eligibility", eligibility.tell),
        web.get("/booking/identify", identify.ask),
        web.post("/booking/identify", identify.check),
        web.get("/booking", places.choose_centre),
        web.get("/booking/centres/{centre_id}", places.choose_time),
        web.get(f"/booking/slots/{number}", hold.slot),
        web.post(f"/booking/slots/{number}", hold.hold),
        web.get("/booking/holds/{hold_id}", hold.review),
        web.post("/booking/holds/{hold_id}", hold.confirm),
        web.get("/booking/holds/{hold_id}/drop", hold.review),
        web.post("/booking/holds/{hold_id}/drop", hold.drop),
        web.get("/booking/waitlist", waitlist.ask),
        web.post("/booking/waitlist", waitlist.join),
        web.get("/booking/waitlist/leave", manage.show_managed),
        web.post("/booking/waitlist/leave", manage.leave_waitlist),
        web.get("/booking/find", find.ask),
        web.post("/booking/find", find.find),
        web.get("/booking/manage", manage.show_managed),
        web.get("/booking/cancel", manage.ask_cancel),
        web.post("/booking/cancel", manage.cancel),
        web.get("/booking/change", change.choose_centre),
        web.get("/booking/change/centres/{centre_id}", change.choose_time),
        web.get(f"/booking/change/slots/{number}", change.review),
        web.post(f"/booking/change/slots/{number}", change.confirm),
    ]
