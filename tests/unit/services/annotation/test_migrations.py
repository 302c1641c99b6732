"""Documents of older stores open."""

from services.annotation.assigning import Order, Pair
from services.annotation.model import Handout
from shared.clock import now
from shared.documents.upcasting import upcast


def test_a_hand_out_that_had_a_lease_is_free_to_be_taken() -> None:
    order = Order((Pair("ada", "grace"),))
    today = Handout(id="default", number=1, order=order, total=3, started_by="root", started_at=now())
    new = {"steps", "step_begun_at", "alive_at"}
    before = {name: value for name, value in today.model_dump(mode="json").items() if name not in new}
    assert Handout.model_validate(upcast(Handout, 1, before | {"leased_until": 1.5})) == today
