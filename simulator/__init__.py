"""A carrier, e-mail and payment simulator: an HTTP server independent of HexaVox.

SIMULATOR.md specifies it; `outcomes` is its outcome table in code. Everything but the handset is
real: messages are HTTP requests, responses get lost, reports are signed and repeated until
answered, connections are reset by TCP.

    access = Access(signing_secret="…", token="…")                             # simulator.access
    serve(host="127.0.0.1", port=8090, access=access, data_dir=None)           # simulator.server

A submission passes through these modules in order:

    access          access control: host, origin, content type, signature or token
    faults          injected faults, before the request is inspected
    message_routes  the vendor's API                console_routes  the simulator's own API
    submission      parses and validates the request
    carrier         accepts or refuses it, stores it, records copies    (`inbound_texts`: inbound)
    outcomes        the table: number or address → outcome
    timeline        table row + acceptance → all events, their reports, the copies that arrive
    webhook_sender  posts to the callback URL, in order, signed (`signing`, `webhook_client`)
    answers         responses, including silence and resets
    registry        10DLC: brands, campaigns, numbers; `registry_outcomes` is its part of the table,
                    `registry_inventory` the numbers on sale, `registry_routes` its API
    hooks           receivers of webhooks, for those who test what HexaVox posts to them:
                    `behaviour` (how one answers), `received_webhook` (verification, view),
                    `receivers` (all of them, bounded), `hook_routes`
    journal         persistence, optional
    views, pricing, vocabulary, clock     JSON views; prices; enum values; time
    app, server     composition; run

A new kind of vendor is a sibling: its table, its state in `journal`, its webhooks, its routes
listed in `app` behind the same `FaultGate`. The payment gateway is one:

    charges         the table: payment method → outcome of a charge
    gateway         charges and refunds, idempotent by key; posts to the callback URL
    payment_routes  the gateway's API, and views for testers
"""
