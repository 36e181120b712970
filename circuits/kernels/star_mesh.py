"""Crossbars with resistive wires, solved for all inputs at once by star-mesh transforms.

A star of conductances y_1 … y_n around an inner node acts like a mesh of conductances y_i y_j / (y_1 + … + y_n)
between its ends. Inner nodes go one after the other, until the couplings between drivers and sense nodes are left:
the effective conductances. Nothing is ever subtracted, so nothing cancels, however small a conductance is beside
that of a wire segment, which is 1 here.

The array is cut into blocks again and again (nested dissection; George, SIAM J. Numer. Anal. 10, 1973): a block
keeps the nodes on its rim alone, its ports, and two blocks become one by eliminating the nodes that they share. Row
wires have their driver, column wires their sense node, beyond the last index; that is the near end of a wire. The
other end is open. A block owns the segments on the near side of its cells.

Ports come in four groups: near and far ends of row wires, near and far ends of column wires. Couplings are an upper
triangle, (ports, ports); what is on and below its diagonal is never read.
"""

import numpy as np

from device_models.kernels.compile import array

NEAR_ROWS, FAR_ROWS, NEAR_COLUMNS, FAR_COLUMNS = range(4)
SIDE = 4  # rows and columns of the smallest block; `eliminate` takes nodes by fours
PORTS = 4 * SIDE
LANES = 32  # smallest blocks that are made at once, on vector registers


@array
def eliminate(couplings, count):
    """Eliminate the first `count` nodes of float64 (nodes, nodes) in place; `count` and `nodes` are multiples of 4.

    The stars of four nodes are spread over two rows at a time: a number that was loaded should be used often.
    """
    nodes = couplings.shape[0]
    per_sum = np.empty(4)
    for first in range(0, count, 4):
        for own in range(4):
            beyond = couplings[first + own, first + 4 :]
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            for node in range(0, beyond.size, 4):
                a += beyond[node]
                b += beyond[node + 1]
                c += beyond[node + 2]
                d += beyond[node + 3]
            total = (a + b) + (c + d)
            for other in range(own + 1, 4):
                total += couplings[first + own, first + other]
            per_sum[own] = 1.0 / total
            for other in range(own + 1, 4):
                share = couplings[first + own, first + other] * per_sum[own]
                star = couplings[first + own, first + other + 1 :]
                mesh = couplings[first + other, first + other + 1 :]
                for node in range(mesh.size):
                    mesh[node] += share * star[node]
        for end in range(first + 4, nodes, 2):
            star_0, star_1 = couplings[first, end + 1 :], couplings[first + 1, end + 1 :]
            star_2, star_3 = couplings[first + 2, end + 1 :], couplings[first + 3, end + 1 :]
            mesh, next_mesh = couplings[end, end + 1 :], couplings[end + 1, end + 1 :]
            a, b = couplings[first, end] * per_sum[0], couplings[first + 1, end] * per_sum[1]
            c, d = couplings[first + 2, end] * per_sum[2], couplings[first + 3, end] * per_sum[3]
            e, f, g, h = star_0[0] * per_sum[0], star_1[0] * per_sum[1], star_2[0] * per_sum[2], star_3[0] * per_sum[3]
            for node in range(mesh.size):
                y_0, y_1, y_2, y_3 = star_0[node], star_1[node], star_2[node], star_3[node]
                mesh[node] += (a * y_0 + b * y_1) + (c * y_2 + d * y_3)
                next_mesh[node] += (e * y_0 + f * y_1) + (g * y_2 + h * y_3)


@array
def insert(couplings, block, first, counts, places):
    """Add the couplings of a block, whose ports start at node `first`, to those of a larger one.

    Parameters
    ----------
    couplings
        float64 (nodes, nodes), added to.
    block
        float64 (nodes, nodes).
    first
        First port of the block; its groups follow one another.
    counts, places
        int64[4]: ports of each group, and the node that the first of them becomes.
    """
    row = first
    for group in range(4):
        column = row
        for other in range(group, 4):
            place, other_place = places[group], places[other]
            for port in range(counts[group]):
                skipped = port + 1 if group == other else 0
                source = block[row + port, column + skipped : column + counts[other]]
                if place <= other_place:
                    target = couplings[place + port, other_place + skipped : other_place + counts[other]]
                    for end in range(source.size):
                        target[end] += source[end]
                else:
                    for end in range(source.size):
                        couplings[other_place + end, place + port] += source[end]
            column += counts[other]
        row += counts[group]


@array
def extend_wire(couplings, port, star, per_sum):
    """Move a port one segment along its wire, in all lanes: its old node becomes an inner one and is eliminated.

    Parameters
    ----------
    couplings
        float64 (PORTS, PORTS, lanes).
    port
        Which port.
    star, per_sum
        Scratch: float64 (PORTS, lanes) and (lanes,).
    """
    lanes = couplings.shape[2]
    per_sum[:] = 1.0
    for end in range(PORTS):
        row, column = min(end, port), max(end, port)
        for lane in range(lanes):
            star[end, lane] = couplings[row, column, lane] if end != port else 0.0
        for lane in range(lanes):
            per_sum[lane] += star[end, lane]
    for lane in range(lanes):
        per_sum[lane] = 1.0 / per_sum[lane]
    for end in range(PORTS):
        row, column = min(end, port), max(end, port)
        for lane in range(lanes):
            couplings[row, column, lane] = star[end, lane] * per_sum[lane]
    for row in range(PORTS):
        for column in range(row + 1, PORTS):
            for lane in range(lanes):
                couplings[row, column, lane] += star[row, lane] * star[column, lane] * per_sum[lane]


@array
def smallest_blocks(conductance, blocks):
    """Find the couplings of all blocks of SIDE x SIDE cells, with all their ports.

    Parameters
    ----------
    conductance
        float64 (rows, columns), multiples of SIDE, >= 0, in units of the conductance of a wire segment.
    blocks
        float64 (blocks, PORTS, PORTS), row by row; what is above their diagonals is set.
    """
    across = conductance.shape[1] // SIDE
    count = blocks.shape[0]
    lanes = min(LANES, count)
    couplings = np.empty((PORTS, PORTS, lanes))
    star, per_sum = np.empty((PORTS, lanes)), np.empty(lanes)
    far_rows, far_columns = FAR_ROWS * SIDE, FAR_COLUMNS * SIDE
    for first in range(0, count, lanes):
        couplings[:] = 0.0
        for wire in range(SIDE):
            couplings[NEAR_ROWS * SIDE + wire, far_rows + wire] = 1.0
            couplings[NEAR_COLUMNS * SIDE + wire, far_columns + wire] = 1.0
        for row in range(SIDE - 1, -1, -1):
            for column in range(SIDE - 1, -1, -1):
                if column < SIDE - 1:
                    extend_wire(couplings, far_rows + row, star, per_sum)
                if row < SIDE - 1:
                    extend_wire(couplings, far_columns + column, star, per_sum)
                for lane in range(lanes):
                    block = min(first + lane, count - 1)
                    cell = conductance[block // across * SIDE + row, block % across * SIDE + column]
                    couplings[far_rows + row, far_columns + column, lane] += cell
        for lane in range(min(lanes, count - first)):
            for port in range(PORTS):
                for end in range(port + 1, PORTS):
                    blocks[first + lane, port, end] = couplings[port, end, lane]


@array
def combine(memory, places, nodes, inner, parts):
    """Combine blocks, one step after the other.

    Parameters
    ----------
    memory
        float64, holds the couplings of all blocks.
    places, nodes, inner
        int64 (steps,): where in `memory` each new block goes, its nodes, and how many of them are eliminated.
    parts
        int64 (steps, parts, 11): of each block that goes into it, where in `memory` it is, its nodes, its first
        port, and `counts` and `places` of `insert`; 0 nodes where there is none.
    """
    for step in range(nodes.size):
        couplings = square(memory, places[step], nodes[step])
        couplings[:] = 0.0
        for part in parts[step]:
            if part[1] > 0:
                insert(couplings, square(memory, part[0], part[1]), part[2], part[3:7], part[7:])
        eliminate(couplings, inner[step])


@array
def square(memory, place, nodes):
    """Return a piece of the memory as (nodes, nodes)."""
    return memory[place : place + nodes * nodes].reshape((nodes, nodes))
