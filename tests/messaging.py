"""Valid brands and campaigns as request bodies."""

from typing import Any

BRAND: dict[str, Any] = {
    "legalName": "Gym A LLC",
    "displayName": "Gym A",
    "entityType": "PRIVATE_PROFIT",
    "vertical": "HEALTHCARE",
    "ein": "12-3456789",
    "phone": "+18135551234",
    "email": "owner@gym-a.example.com",
    "street": "1 Main Street",
    "city": "Tampa",
    "state": "FL",
    "postalCode": "33602",
    "website": "https://gym-a.example.com",
}
CAMPAIGN: dict[str, Any] = {
    "useCase": "ACCOUNT_NOTIFICATION",
    "description": "Members of the gym are told about their bookings and payments.",
    "messageFlow": "Members tick a box when they sign up at https://gym-a.example.com/join.",
    "samples": [
        "Gym A: your class starts at 9 tomorrow.",
        "Gym A: your payment of $10 is due on Friday.",
    ],
    "optOutMessage": "Gym A: you will receive no more messages from us.",
    "helpMessage": "Gym A: for help write to help@gym-a.example.com.",
}
