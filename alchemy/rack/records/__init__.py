"""The records of a rack: nodes, boots, inventories, runs, events and orders."""
