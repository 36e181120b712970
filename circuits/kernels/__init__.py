"""Array loops: crossbars with resistive wires."""
