"""The same inputs for every kernel; run as a module it writes the results of plain Python to a file.

NUMBA_DISABLE_JIT=1 python -m tests.cosim.kernels.kernel_cases RESULTS.npz
"""

import sys
from itertools import product

import numpy as np

from cosim.converters import capacitor_weights, in_pieces
from cosim.kernels import ageing, convert, digital, effective, neurons, patches, products
from cosim.kernels.trains import DETERMINISTIC, MEAN_COUNT, STOCHASTIC
from device_models import FAMILIES, PulsedDevice
from device_models.kernels import random_numbers
from device_models.population import populate
from tests.cosim.kernels.rank_one import Devices


def generator(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(number))


def device_of(family: str, **parameters: float) -> PulsedDevice:
    own = {
        "piecewise_step": {"piecewise_up": (1.5, 1.0, 0.3), "piecewise_down": (0.2, 1.0, 1.8)},
        "measured_table": {name: (1.3, 0.7) for name in ("up_mean", "up_std", "down_mean", "down_std")},
    }
    spread = {"dw_min_dtod": 0.3, "up_down_dtod": 0.05, "w_max_dtod": 0.3, "w_min_dtod": 0.3}
    return FAMILIES[family](**{"dw_min": 0.05, "w_max": 0.5, "w_min": -0.5} | spread | own.get(family, {}) | parameters)


def random_results() -> dict[str, np.ndarray]:
    addresses = product((0, 1, 2**40), (0, 7), (0, 5))
    keys = [int(random_numbers.make_key(seed, stream, step)) for seed, stream, step in addresses]
    uniforms = [float(random_numbers.uniform(np.uint64(key), count)) for key in keys for count in range(20)]
    normals = [float(random_numbers.normal(np.uint64(key), count)) for key in keys for count in range(20)]
    halves = [(random_numbers.low_half(np.uint64(key)), random_numbers.high_half(np.uint64(key))) for key in keys]
    words = [int(random_numbers.word(*half, count)) for half in halves for count in range(20)]
    limit = random_numbers.threshold(0.3)
    events = [bool(random_numbers.fires(*half, count, limit)) for half in halves for count in range(20)]
    bulk = np.empty(77, dtype=np.float32)
    random_numbers.fill_normals(np.uint64(keys[-1]), 64, bulk)
    return {
        "keys": np.array(keys, dtype=np.uint64),
        "mix": np.array([int(random_numbers.mix(np.uint64(value))) for value in (0, 1, 2**63, 2**64 - 1)], np.uint64),
        "uniforms": np.array(uniforms),
        "normals": np.array(normals),
        "words": np.array(words, dtype=np.uint32),
        "bulk of normals": bulk,
        "events": np.array(events),
    }


def update_results() -> dict[str, np.ndarray]:
    results = {}
    every = (True, True), (True, False), (False, False)
    cases = [
        *((family, {"dw_min_std": noise}, 31, every[0], {}) for family, noise in product(FAMILIES, (0.0, 0.3))),
        *(
            ("soft_bounds", {}, longest, given, {})
            for longest, given in product((1, 5, 30, 31, 32, 62, 63, 200), every)
        ),
        ("exponential_step", {"dw_min_std": 0.3, "dw_min_std_add": 0.1, "dw_min_std_slope": 0.2}, 31, every[0], {}),
        ("soft_bounds", {"write_noise_std": 2.0}, 31, every[0], {}),
        ("soft_bounds", {"reference_mean": 0.1}, 31, every[0], {}),
        ("linear_step", {"one_sided": True, "write_noise_std": 1.0}, 31, every[0], {}),
        *(("constant_step", {}, 31, every[1], {"pulse_type": kind}) for kind in (MEAN_COUNT, DETERMINISTIC)),
        *(
            ("constant_step", {}, 31, every[1], {"resolution": 0.1, "stochastic_rounding": random, "pulse_type": kind})
            for random, kind in product((True, False), (STOCHASTIC, MEAN_COUNT, DETERMINISTIC))
        ),
        ("constant_step", {}, 31, every[0], {"error_share": 0.3}),
    ]
    for number, (family, parameters, longest, managements, settings) in enumerate(cases):
        draw = generator(longest)
        reference = "reference_mean" in parameters
        array = Devices(device_of(family, **parameters), (4, 5), seed=11, reference=reference)
        array.stored[:] = draw.uniform(0.0 if array.device.one_sided else -0.1, 0.1, array.stored.shape)
        array.composite[:] = draw.uniform(-0.3, 0.3, (4, 5))
        inputs = draw.normal(size=(6, 5)).astype(np.float32)
        errors = draw.normal(size=(6, 4)).astype(np.float32)
        inputs[1], errors[2], inputs[3, 2], errors[3, 1] = 0, 0, 0, 0
        activity = array.update(
            inputs, errors, 0.07, longest=longest, managements=managements, key=1234, significance=0.7, **settings
        )
        name = f"update {number} {family} {parameters} {longest} {managements} {settings}"
        results |= {f"{name} weights": array.weights, f"{name} stored": array.stored}
        results |= {f"{name} composite": array.composite, f"{name} activity": np.array(list(activity.values()))}
    return results


def row_results() -> dict[str, np.ndarray]:
    """Return updates in which many or few columns fire, of devices with a nearly linear response."""
    results = {}
    flat = {"dw_min": 0.004, "w_max_dtod": 0.1, "w_min_dtod": 0.1}
    cases = [
        *product(
            ("constant_step", "soft_bounds"), ({}, {"dw_min_std": 0.3}, {"dw_min_std": 0.6}), (1.0, 0.3, 0.02), (31,)
        ),
        *product(
            ("constant_step", "soft_bounds"), ({"reference_mean": 0.1}, {"dw_min_std": 0.5}), (1.0,), (31, 32, 80)
        ),
        ("generic_linear", {"mult_noise": True, "dw_min_std": 0.3, "c_lin": 0.2}, 1.0, 31),
        # Some devices are steep; so many that the row is listed; most.
        *(("soft_bounds", {"dw_min_std": 0.3, "w_max_dtod": spread}, 1.0, 31) for spread in (0.4, 1.0)),
        ("soft_bounds", {"dw_min_std": 0.3, "dw_min": 0.02}, 1.0, 31),
        ("soft_bounds", {"dw_min_std": 0.3, "corrupt_devices_prob": 0.1, "corrupt_devices_range": 0.2}, 1.0, 31),
        # More vectors than are drawn at a time, almost all of them idle.
        ("soft_bounds", {"dw_min_std": 0.3}, 1.0, 1024),
    ]
    for number, (family, parameters, share, longest) in enumerate(cases):
        draw = generator(number)
        array = Devices(device_of(family, **flat | parameters), (3, 37), reference="reference_mean" in parameters)
        array.stored[:] = draw.uniform(-0.1, 0.1, array.stored.shape)
        array.composite[:] = draw.uniform(-0.3, 0.3, array.shape)
        vectors, busy = (6, range(6)) if longest < 1024 else (1000, (0, 500, 771, 772, 999))
        inputs, errors = np.zeros((vectors, 37), np.float32), np.zeros((vectors, 3), np.float32)
        for vector in busy:
            inputs[vector] = draw.normal(size=37) * (draw.random(37) < share)
            inputs[vector, 0] = 1.0
            errors[vector] = draw.normal(size=3)
        activity = array.update(
            inputs, errors, 0.03, longest=longest, managements=(True, longest != 80), key=number, significance=0.7
        )
        name = f"update of rows {number} {family} {parameters} {share} {longest}"
        results |= {f"{name} weights": array.weights, f"{name} stored": array.stored}
        results |= {f"{name} composite": array.composite, f"{name} activity": np.array(list(activity.values()))}
    return results


def ageing_results() -> dict[str, np.ndarray]:
    draw, results = generator(12), {}
    stored = draw.uniform(-0.4, 0.4, (2, 4, 5)).astype(np.float32)
    parameters = np.stack([populate(device_of("soft_bounds"), (4, 5), seed=1, stream=1).parameters] * 2)
    decay, diffusion, reset = draw.uniform(0, 0.3, (3, 4, 5)).astype(np.float32)
    diffusion[1] = 0
    for side in (0, 1):
        ageing.age_devices(stored, side, parameters, 1 - decay, diffusion, reset, np.uint64(31 + side))
    for sides, noise in product((1, 2), (0.0, 0.2)):
        weights = np.zeros((4, 5), dtype=np.float32)
        ageing.expose(weights, stored[:sides], noise, np.uint64(8))
        results[f"exposed {sides} {noise}"] = weights
    return results | {"aged": stored}


def digital_results() -> dict[str, np.ndarray]:
    whole = generator(4).normal(size=(5, 7)).astype(np.float32)
    whole[2] = 0
    multiples = np.empty_like(whole)
    busy = digital.take_multiples(whole, 0.3, multiples)
    return {"multiples rest": whole, "multiples": multiples, "multiples busy": np.array(busy)}


def converter_results() -> dict[str, np.ndarray]:
    draw = generator(5)
    values = draw.normal(size=(5, 6)).astype(np.float32)
    values[3] = 0
    results = {}
    for levels in (0, 1, 7, 63):
        driven, scales = np.empty_like(values), np.empty(5)
        active, drive = convert.drive_lines(values, levels, driven, scales)
        results |= {
            f"driven {levels}": driven,
            f"scales {levels}": scales,
            f"lines {levels}": np.array([active, drive]),
        }
    rows = np.array([4, 1, 3])
    for levels in (0, 1, 63):
        driven = np.empty((3, 6), dtype=np.float32)
        active, drive = convert.drive_lines(values, levels, driven, np.array([1.0, 0.7, 9.0, 0.0, 2.5]), rows)
        results |= {f"driven rows {levels}": driven, f"lines of rows {levels}": np.array([active, drive])}
    noisy = values[rows]
    convert.add_noise(noisy, rows, np.array([0.0, 0.3, 2.0]), np.uint64(8), 60)
    results["noisy rows"] = noisy
    for levels, noise, accumulate in product((1, 127), (0.0, 0.4), (False, True)):
        total, clipped = np.ones_like(values), np.array([False, False, True])
        given = (levels, 1.4, noise, np.uint64(6), 30, total, accumulate, rows, clipped)
        convert.convert_columns(values[rows], *given)
        name = f"{levels} {noise} {accumulate}"
        results |= {f"converted rows {name}": total, f"converted rows clip {name}": clipped}
    for levels, noise, full_scale in product((1, 7, 127), (0.0, 0.4), (0.7, 4.0)):
        total = np.full_like(values, np.nan)
        convert.convert_columns(values, levels, full_scale, noise, np.uint64(6), 0, total, False)
        convert.convert_columns(values[::-1].copy(), levels, full_scale, noise, np.uint64(6), 30, total, True)
        results[f"converted {levels} {noise} {full_scale}"] = total
    scaled = values.copy()
    convert.scale_rows(scaled, draw.uniform(0, 3, 5))
    results["scaled"] = scaled
    odd = np.array([1, np.nan, np.inf], dtype=np.float32)
    results["finite"] = np.array([convert.all_finite(part) for part in (values.ravel(), odd[:1], odd[:2], odd[[0, 2]])])
    return results


def converter_error_results() -> dict[str, np.ndarray]:
    draw = generator(13)
    results = {}
    # Few lines, which are taken several vectors at a time, and more than are taken at once.
    for lines, bits in product((6, 600), (2, 8, 9)):
        values = draw.normal(size=(3, lines)).astype(np.float32)
        levels, rows = 2 ** (bits - 1) - 1, np.array([2, 0])
        offsets, weights = in_pieces(draw.uniform(-1, 1, lines), capacitor_weights(bits, 0.05, lines, draw))
        for noise, accumulate in product((0.0, 0.4), (False, True)):
            given = (levels, 1.4, noise, np.uint64(6), 30)
            total, chosen, clipped = np.ones_like(values), np.ones_like(values), np.array([True, False])
            convert.convert_bit_by_bit(values, *given, total, accumulate, offsets, weights)
            convert.convert_bit_by_bit(values[rows], *given, chosen, accumulate, offsets, weights, rows, clipped)
            name = f"{lines} {bits} {noise} {accumulate}"
            results |= {f"converted bit by bit {name}": total, f"converted bit by bit rows {name}": chosen}
            results[f"converted bit by bit clip {name}"] = clipped
        driven = np.rint(np.clip(values, -1, 1) * np.float32(levels)) / np.float32(levels)
        longer, bent = driven.copy(), values.copy()
        convert.shift_levels(driven, levels, weights)
        convert.lengthen_pulses(longer, 0.3 / levels)
        convert.bend_columns(bent, np.float32(0.7))
        results |= {f"driven off {lines} {bits}": driven, f"driven longer {lines} {bits}": longer}
        results[f"converted bent {lines} {bits}"] = bent
    return results


def image_results() -> dict[str, np.ndarray]:
    draw = generator(6)
    results = {}
    # One channel and several take different ways, and so do the odd edges of (5, 7).
    for name, shape in (("6 5 3", (2, 6, 5, 3)), ("5 7 1", (2, 5, 7, 1))):
        images = draw.normal(size=shape).astype(np.float32)
        count, height, width, channels = shape
        rows = np.empty((count * (height - 2) * (width - 2), 9 * channels), dtype=np.float32)
        patches.image_to_patches(images, (0, 0, 0), rows)
        back = np.empty_like(images)
        patches.patches_to_image(draw.normal(size=rows.shape).astype(np.float32), 3, back)
        half = (count, height // 2, width // 2, channels)
        pooled, choices = np.empty(half, np.float32), np.empty(half, np.int8)
        images[1] = np.round(images[1])  # equal values in a square
        patches.max_pool(images, draw.normal(size=channels).astype(np.float32), pooled, choices)
        unpooled = np.empty_like(images)
        patches.max_unpool(draw.normal(size=half).astype(np.float32), choices, unpooled)
        results |= {f"patches {name}": rows, f"image {name}": back, f"pooled {name}": pooled}
        results |= {f"choices {name}": choices, f"unpooled {name}": unpooled}
    return results


def neuron_results() -> dict[str, np.ndarray]:
    draw = generator(7)
    errors, values = draw.normal(size=(2, 9, 7)).astype(np.float32)
    results = {}
    for name in ("tanh", "sigmoid", "relu", "identity"):
        before = np.empty_like(errors)
        getattr(neurons, f"back_through_{name}")(errors, values, before)
        results[f"back through {name}"] = before
    total = draw.normal(size=7).astype(np.float32)
    neurons.subtract_sum_of_rows(errors, np.float32(0.3), total)
    gradient = np.empty_like(values)
    loss = neurons.softmax_cross_entropy(np.float32(30) * values, np.arange(9) % 7, gradient)
    return results | {"bias": total, "loss": np.array(float(loss)), "gradient": gradient}


def product_results() -> dict[str, np.ndarray]:
    draw, results = generator(9), {}
    for share in (0.2, 1.0):
        matrix, inputs = draw.normal(size=(3, 11)).astype(np.float32), draw.normal(size=(40, 11)).astype(np.float32)
        errors = np.where(draw.random((40, 3)) < share, draw.normal(size=(40, 3)), 0).astype(np.float32)
        products.subtract_outer_products(matrix, inputs, errors, np.float32(0.3))
        results[f"outer products {share}"] = matrix
    return results


def wire_results() -> dict[str, np.ndarray]:
    draw, results = generator(21), {}
    weights, minus = draw.uniform(-1, 1, (2, 7, 9)).astype(np.float32)
    attenuations = draw.uniform(0.6, 1, (2, 7, 9)).astype(np.float32)
    solved = draw.uniform(0, 1, (2, 7, 9)).astype(np.float32)
    for name, second in (("signed", np.zeros((0, 0), np.float32)), ("paired", np.abs(minus))):
        cells, seen = np.empty_like(solved), np.empty_like(weights)
        effective.cells_of(weights, second, cells)
        effective.effective_weights(weights, second, attenuations, solved, 0.11, 2e-3, 4, 5, seen)
        results |= {f"cells {name}": cells, f"effective {name}": seen}
    return results


def all_results() -> dict[str, np.ndarray]:
    parts = (
        random_results,
        update_results,
        row_results,
        ageing_results,
        digital_results,
        converter_results,
        converter_error_results,
        image_results,
        neuron_results,
        product_results,
        wire_results,
    )
    return {name: np.asarray(value) for part in parts for name, value in part().items()}


if __name__ == "__main__":
    with np.errstate(over="ignore"):  # 64-bit integers wrap, as the generator wants them to
        np.savez(sys.argv[1], **all_results())
