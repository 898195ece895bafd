"""A carrier, e-mail and payment simulator: an HTTP server of its own that knows nothing of HexaVox.

SIMULATOR.md says what it does; `outcomes` is that table in code. Everything is real but the
handset: messages come over the network, answers get lost on it, reports go out signed and are
repeated until answered, connections break with a TCP reset.

    access = Access(signing_secret="…", token="…")                             # simulator.access
    serve(host="127.0.0.1", port=8090, access=access, data_dir=None)           # simulator.server

A submission passes through the rooms in this order:

    access          who may ask for what: host, origin, content type, signature or token
    faults          trouble on demand, before anything else looks at the request
    message_routes  the vendor's API                console_routes  the simulator's own
    submission      the request, checked and typed
    carrier         takes it or not, remembers it, knows who was reached    (inbound: the way back)
    outcomes        the table: number or address → what happens
    timeline        table row + acceptance → all events, their reports, the copies that arrive
    webhook_sender  posts to the callback URL, in order, signed (`signing`, `webhook_client`)
    answers         what the client hears, silence and resets included
    registry        10DLC: brands, campaigns, numbers; `registry_outcomes` is its part of the table,
                    `registry_inventory` what is for sale, `registry_routes` how it is asked
    journal         the memory on disk, if there is to be one
    views, pricing, vocabulary, clock     how it looks in JSON; prices; words; time
    app, server     put together; run

A new kind of vendor is a sibling: its table, its state in `journal`, its webhooks, its routes
listed in `app` behind the same `FaultGate`. So is the payment gateway:

    charges         the table: payment method → what becomes of a charge
    gateway         charges and refunds, once per idempotency key; tells the callback URL
    payment_routes  the gateway's API, and what a tester may see
"""
