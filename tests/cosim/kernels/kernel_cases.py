"""The same inputs for every kernel; run as a module it writes the results of plain Python to a file.

NUMBA_DISABLE_JIT=1 python -m tests.cosim.kernels.kernel_cases RESULTS.npz
"""

import sys
from itertools import product

import numpy as np

from cosim.kernels import convert, patches, update
from device_models.kernels import compile as random_numbers
from device_models.kernels.pulse import FAMILY_CODES, pulse
from device_models.parameters import FAMILIES
from device_models.population import populate


def generator(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(number))


def devices(family: str, shape: tuple[int, int], dw_min: float = 0.05, bound: float = 0.5) -> np.ndarray:
    device = FAMILIES[family](
        dw_min=dw_min, dw_min_dtod=0.3, up_down_dtod=0.05, w_max=bound, w_min=-bound, w_max_dtod=0.3, w_min_dtod=0.3
    )
    return populate(device, shape, seed=11, stream=3)


def random_results() -> dict[str, np.ndarray]:
    addresses = product((0, 1, 2**40), (0, 7), (0, 5))
    keys = [int(random_numbers.make_key(seed, stream, step)) for seed, stream, step in addresses]
    uniforms = [float(random_numbers.uniform(np.uint64(key), count)) for key in keys for count in range(20)]
    normals = [float(random_numbers.normal(np.uint64(key), count)) for key in keys for count in range(20)]
    events = [bool(random_numbers.bernoulli(np.uint64(key), count, 0.3)) for key in keys for count in range(20)]
    return {
        "keys": np.array(keys, dtype=np.uint64),
        "mix": np.array([int(random_numbers.mix(np.uint64(value))) for value in (0, 1, 2**63, 2**64 - 1)], np.uint64),
        "uniforms": np.array(uniforms),
        "normals": np.array(normals),
        "events": np.array(events),
    }


def pulse_results() -> dict[str, np.ndarray]:
    results = {}
    for family, noise in product(FAMILY_CODES, (0.0, 0.3)):
        parameters = devices(family, (3, 4))
        code = FAMILY_CODES[family]
        single = [
            float(pulse(code, 0.2 * (row - 1), up, parameters[row, 0], noise, np.uint64(9), number))
            for row, up, number in product(range(3), (True, False), range(5))
        ]
        results[f"pulse {family} {noise}"] = np.array(single)
        weights = generator(1).uniform(-0.2, 0.2, (3, 4)).astype(np.float32)
        for up, count in ((True, 7), (False, 12), (True, 0)):
            update.pulse_all(code, weights, parameters, noise, up, count, np.uint64(77 + count))
            results[f"pulse_all {family} {noise} {up}"] = weights.copy()
    return results


def update_results() -> dict[str, np.ndarray]:
    results = {}
    cases = product(FAMILY_CODES, (0.0, 0.3), (1, 5, 31, 63), ((True, True), (True, False), (False, False)))
    for family, noise, longest, managements in cases:
        draw = generator(longest)
        weights = draw.uniform(-0.3, 0.3, (4, 5)).astype(np.float32)
        composite = (0.7 * weights).astype(np.float32)
        inputs = draw.normal(size=(6, 5)).astype(np.float32)
        errors = draw.normal(size=(6, 4)).astype(np.float32)
        inputs[1], errors[2], inputs[3, 2], errors[3, 1] = 0, 0, 0, 0
        activity = update.pulsed_update(
            FAMILY_CODES[family],
            weights,
            devices(family, (4, 5)),
            noise,
            inputs,
            errors,
            0.07,
            0.05,
            longest,
            *managements,
            np.uint64(1234),
            composite,
            0.7,
        )
        name = f"update {family} {noise} {longest} {managements}"
        results |= {f"{name} weights": weights, f"{name} composite": composite, f"{name} activity": activity}
    return results


def digital_results() -> dict[str, np.ndarray]:
    draw = generator(4)
    buffer = draw.normal(size=(5, 7)).astype(np.float32)
    values = draw.normal(size=(4, 5)).astype(np.float32)
    counts = np.empty_like(values)
    update.threshold_columns(buffer, np.array([5, 6, 0, 5]), values, 0.37, 0.8, 0.1, counts)
    whole = draw.normal(size=(5, 7)).astype(np.float32)
    whole[2] = 0
    multiples = np.empty_like(whole)
    busy = update.take_multiples(whole, 0.3, multiples)
    return {
        "threshold buffer": buffer,
        "threshold counts": counts,
        "multiples rest": whole,
        "multiples": multiples,
        "multiples busy": np.array(busy),
    }


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


def image_results() -> dict[str, np.ndarray]:
    draw = generator(6)
    images = draw.normal(size=(2, 6, 5, 3)).astype(np.float32)
    rows = np.empty((2 * 4 * 3, 27), dtype=np.float32)
    patches.image_to_patches(images, 3, rows)
    back = np.empty_like(images)
    patches.patches_to_image(draw.normal(size=rows.shape).astype(np.float32), 3, back)
    pooled, choices = np.empty((2, 3, 2, 3), np.float32), np.empty((2, 3, 2, 3), np.int64)
    patches.max_pool(images, pooled, choices)
    unpooled = np.empty_like(images)
    patches.max_unpool(draw.normal(size=pooled.shape).astype(np.float32), choices, unpooled)
    return {"patches": rows, "image": back, "pooled": pooled, "choices": choices, "unpooled": unpooled}


def all_results() -> dict[str, np.ndarray]:
    parts = (random_results, pulse_results, update_results, digital_results, converter_results, image_results)
    return {name: np.asarray(value) for part in parts for name, value in part().items()}


if __name__ == "__main__":
    with np.errstate(over="ignore"):  # 64-bit integers wrap, as the generator wants them to
        np.savez(sys.argv[1], **all_results())
