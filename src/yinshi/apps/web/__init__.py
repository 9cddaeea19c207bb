"""The web page and the HTTP API.

limits          how much one may ask for
requests        what is asked: bodies, as Pydantic models
responses       what is answered
refusals        what is refused, and with which status
library         the models that are served
lanes           poems that wait, and those that hold a place
scheduler       the one engine thread: all active poems, one token at a time
metrics         what is counted, for Prometheus
middleware      what holds for every request: headers, sizes, counts
static          the page's files, and the API viewer's
routes          the API
app             all of it together
"""
