"""What a machine has to be: a TOML file, and what differs from it.

    [[machine]]
    when = { manufacturer = "Supermicro", product = "SSG-6029P-*" }

    [machine.firmware]
    version = "3.4"

    [machine.dimms]
    slots = ["P1-DIMMA1", "P1-DIMMB1", "P2-DIMMA1", "P2-DIMMB1"]
    size = "16 GiB"

    [[machine.disks]]
    count = 12
    model = "HGST HUS728T8TALE6L4"
    firmware = "V8GNW460"

    [[machine.nics]]
    device = "15b3:1015"
    linked = ">= 1"

The first machine whose `when` matches is the one that counts; where none does, nothing is proven. sections.py has the
keys, conditions.py the forms of a value.
"""
