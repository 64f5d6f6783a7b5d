"""What the shop's agents and batch jobs work on: requests, products, reviews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that an agent makes; `attempts` over one means that the first ones fail."""

    name: str
    arguments: dict[str, Any]
    result: Any
    milliseconds: int
    attempts: int = 1
    error: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of the order agent, how it goes about it, and what it says at the end."""

    text: str
    thoughts: tuple[str, ...]
    calls: tuple[ToolCall, ...]
    answer: str
    tag: str
    warning: str = ""


REQUESTS: Final[tuple[Request, ...]] = (
    Request(
        "Please cancel KO-49002, I ordered the wrong colour. And send the blue one instead.",
        (
            "Check the state of the order first; after packing it cannot be cancelled.",
            "Not packed yet. Check stock of the blue variant before cancelling.",
            "In stock: cancel, then reorder with the same address and payment.",
        ),
        (
            ToolCall(
                "lookup_order",
                {"order": "KO-49002"},
                {"status": "paid", "packed": False, "total": 129.0},
                140,
            ),
            ToolCall("check_stock", {"sku": "ALDER-43-BLUE"}, {"available": 7, "warehouse": "Utrecht"}, 95),
            ToolCall(
                "cancel_order", {"order": "KO-49002", "reason": "wrong colour"}, {"cancelled": True}, 310
            ),
            ToolCall("create_order", {"sku": "ALDER-43-BLUE", "quantity": 1}, {"order": "KO-49077"}, 420),
        ),
        "Done. KO-49002 is cancelled and KO-49077 (Alder boots, 43, blue) ships tomorrow to the same address. "
        "The price is the same, so your payment simply moves over.",
        "orders",
    ),
    Request(
        "Where is my order KO-48890? It says shipped since Monday.",
        (
            "Look up the order and the carrier's events.",
            "The carrier was slow to answer but has a depot scan from this morning.",
        ),
        (
            ToolCall(
                "lookup_order", {"order": "KO-48890"}, {"status": "shipped", "carrier": "PostNord"}, 130
            ),
            ToolCall(
                "track_parcel",
                {"carrier": "PostNord", "number": "7350012944"},
                {"events": [{"at": "06:12", "place": "Malmö depot", "what": "sorted"}], "eta": "tomorrow"},
                1850,
                attempts=2,
                error="ReadTimeout: carrier API did not answer within 5 s",
            ),
        ),
        "Your parcel was sorted in Malmö at 06:12 this morning and should reach you tomorrow. "
        "The gap since Monday was a weekend at the border; nothing is lost.",
        "tracking",
        warning="carrier API needed a second attempt",
    ),
    Request(
        "I'd like my money back for EX-20771, the exchange jacket has a torn seam too.",
        (
            "Second defect in a row: policy allows a refund without further checks below 300.",
            "Amount is below the limit, so refund directly.",
        ),
        (
            ToolCall(
                "lookup_exchange", {"exchange": "EX-20771"}, {"item": "Sandpiper M", "paid": 219.0}, 150
            ),
            ToolCall(
                "read_policy", {"topic": "repeated defect"}, {"refund_limit": 300, "approval": "none"}, 60
            ),
            ToolCall(
                "refund", {"exchange": "EX-20771", "amount": 219.0}, {"refund": "RF-3391", "days": 3}, 640
            ),
        ),
        "I'm sorry, that should not happen twice. 219.00 is on its way back (RF-3391, about three working days). "
        "Keep the jacket's box: the courier collects it on Friday.",
        "refund",
    ),
    Request(
        "Refund my whole order KO-47711, I never received anything.",
        (
            "Look at the delivery evidence before refunding.",
            "There is a signature. This needs a person.",
        ),
        (
            ToolCall("lookup_order", {"order": "KO-47711"}, {"status": "delivered", "total": 842.5}, 120),
            ToolCall(
                "delivery_proof", {"order": "KO-47711"}, {"signed_by": "J. Maas", "at": "2 days ago"}, 480
            ),
            ToolCall("open_case", {"order": "KO-47711", "queue": "claims"}, {"case": "CL-1182"}, 210),
        ),
        "The carrier reports a signature by J. Maas two days ago. I can't refund this amount on my own, so a colleague "
        "from claims will call you today; your case is CL-1182.",
        "refund",
        warning="escalated to a person: amount above limit and delivery was signed",
    ),
    Request(
        "Build me a gear list for a 4 day hut trek in the Dolomites, late September, I own boots and a 35 l pack.",
        (
            "Gather the forecast climate, then pick items that fit 35 litres.",
            "Nights around 3 °C outside, huts are heated: a liner is enough, no sleeping bag.",
            "Check stock for every item so that the list can be ordered as it is.",
        ),
        (
            ToolCall(
                "climate",
                {"place": "Dolomites", "month": 9},
                {"night_c": 3, "day_c": 14, "rain_days": 8},
                220,
            ),
            ToolCall(
                "search_products", {"query": "hut sleeping liner", "limit": 5}, [{"sku": "LINER-SILK"}], 180
            ),
            ToolCall(
                "search_products", {"query": "light rain shell", "limit": 5}, [{"sku": "SANDPIPER-M"}], 165
            ),
            ToolCall("check_stock", {"sku": "LINER-SILK,SANDPIPER-M"}, {"all": True}, 90),
        ),
        "Your list (fits 35 l, 7.2 kg with water): silk liner, Sandpiper shell, one warm mid-layer, two merino shirts, "
        "gloves and hat, headlamp, first aid, poles. Liner and shell are in stock; together 268.00.",
        "advice",
    ),
    Request(
        "帮我把订单 KO-61100 的收货地址改成公司，上海市徐汇区的那个",
        (
            "先查订单是否已经出库，出库后不能改地址。",
            "尚未出库，用户地址簿里有公司地址，可以直接修改。",
        ),
        (
            ToolCall("lookup_order", {"order": "KO-61100"}, {"status": "paid", "packed": False}, 150),
            ToolCall("list_addresses", {"user": "me"}, [{"id": 2, "label": "公司", "city": "上海"}], 80),
            ToolCall("change_address", {"order": "KO-61100", "address": 2}, {"changed": True}, 260),
        ),
        "已把 KO-61100 的收货地址改为您地址簿中的“公司”（上海市徐汇区），预计后天送达。",
        "orders",
    ),
    Request(
        "Add two Linnet gas canisters to my subscription and move it to the first of the month.",
        (
            "Read the subscription, then check shipping limits for gas.",
            "The payment provider refuses the change; nothing may be left half done.",
        ),
        (
            ToolCall("read_subscription", {"user": "me"}, {"id": "SB-204", "day": 15, "items": 1}, 130),
            ToolCall("shipping_limits", {"sku": "GAS-230", "country": "NL"}, {"max_per_parcel": 4}, 70),
            ToolCall(
                "update_subscription",
                {"id": "SB-204", "day": 1, "add": {"GAS-230": 2}},
                None,
                900,
                attempts=2,
                error="409 Conflict: an invoice for SB-204 is being settled",
            ),
        ),
        "I couldn't change SB-204 just now because an invoice is being settled. Nothing was altered. "
        "Please try again in an hour, or shall I do it for you tonight?",
        "subscription",
        warning="",
    ),
)

# Name, facts, description written from them.
PRODUCTS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    (
        "Fulmar 2 tent",
        {"weight_g": 2600, "floor_mm": 4000, "persons": 2, "poles": "geodesic", "seasons": 4},
        "Built for the nights when the wind changes its mind. Four crossing poles hold the Fulmar 2 steady in gusts, "
        "a 4,000 mm floor shrugs off soaked ground, and two doors mean nobody climbs over anybody at 3 a.m.",
    ),
    (
        "Merlin headlamp",
        {"lumen": 450, "weight_g": 78, "runtime_h": 40, "charging": "USB-C"},
        "450 lumens when you need to find the path, a soft red glow when you don't want to wake the tent. 78 grams, "
        "one large button that works with gloves, forty hours on low.",
    ),
    (
        "Petrel 600 sleeping bag",
        {"comfort_c": -9, "fill": "700 duck down, RDS", "weight_g": 1100},
        "Warm to minus nine and honest about it. The Petrel's baffles narrow at the feet, where cold starts, and the "
        "zip guard keeps fabric out of the teeth. Responsibly sourced 700-fill down.",
    ),
    (
        "Wren 8 children's pack",
        {"litres": 8, "weight_g": 380, "age": "4-8", "colours": 4},
        "Room for a jacket, a bottle and one stuffed animal. The chest strap clips with a whistle, the loop fits small "
        "hands, and the yellow can be seen from the far side of the meadow.",
    ),
    (
        "Linnet Mini stove",
        {"weight_g": 73, "output_w": 2600, "boil_min": 3.4},
        "Folds to the size of a matchbox and boils half a litre in three and a half minutes. A concave burner keeps "
        "the flame alive when the breeze picks up.",
    ),
    (
        "Plover Warm sleeping mat",
        {"r_value": 5.1, "weight_g": 560, "thickness_cm": 7},
        "Seven quiet centimetres between you and the frost. R 5.1, side rails that keep you in the middle, and a pump "
        "sack that doubles as a dry bag.",
    ),
)

REVIEWS: Final[tuple[str, ...]] = (
    "Survived a storm at 2,300 m without a drop inside. Pegs are a bit soft though.",
    "Zip jams every time. Second one, same problem. Going back.",
    "Warm, light, packs small. Exactly as described.",
    "Runs small, order one size up. Otherwise great grip on wet rock.",
    "帐篷很稳，八级风没问题，就是收纳袋太小了不好装。",
    "Colour is different from the photo, more olive than green. Keeping it anyway.",
    "Battery lasted a whole week of evenings. The red mode is lovely.",
    "Delivery took nine days and the box was wet, contents fine.",
    "My son loves it. He has refused to take it off for two days.",
    "睡袋很暖和，-6 度睡得很香，羽绒几乎不钻绒。",
    "The hip belt pads rub after three hours. Fine for day trips, not for a trek.",
    "Customer service sorted out a broken pole within a day. That's why I stay.",
)

DIGESTS: Final[tuple[str, ...]] = (
    "Overall 4.3 of 5. Loved: storm stability, low weight, quick service. Complaints: zip of the Sandpiper (7 mentions, "
    "up from 2 last week), soft pegs, tight stuff sack. Suggest: raise the zip with the supplier now.",
    "Overall 4.5 of 5. Warmth and fit lead; sizing of the Alder line is the most common question (11 of 64). "
    "Suggest: move the sizing hint above the fold and mention it in the basket.",
    "Overall 4.1 of 5. Shipping times pull the score down in the Nordics; product ratings are steady at 4.4. "
    "Suggest: show the depot calendar at checkout for NO, SE and FI.",
)

EMAILS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "Hello, invoice 2231 lists two stoves, we got one. Please correct. Regards, Bergschule Tirol",
        {"intent": "invoice_correction", "invoice": "2231", "sentiment": "neutral", "priority": 2},
    ),
    (
        "THIRD mail about the torn tent!!! Nobody answers. I want a person to call me: order KO-45520",
        {"intent": "complaint", "order": "KO-45520", "sentiment": "angry", "priority": 1},
    ),
    (
        "Could you send catalogues for our scout group? About 30 children, age 8 to 12.",
        {"intent": "catalogue_request", "quantity": 30, "sentiment": "friendly", "priority": 4},
    ),
    (
        "您好，请问可以开具公司抬头的发票吗？订单 KO-60871",
        {"intent": "invoice_request", "order": "KO-60871", "sentiment": "neutral", "priority": 3},
    ),
    (
        "Is the summer job in the Utrecht warehouse still open? CV attached.",
        {"intent": "job_application", "sentiment": "friendly", "priority": 4},
    ),
)
