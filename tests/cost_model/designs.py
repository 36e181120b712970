"""Designs, algorithms and priced schedules in one line each, for the tests of the cost model."""

from cosim.algorithms import ALGORITHMS
from cosim.scheduler import Scheduler
from cost_model.hardware import Hardware, hardware_preset
from cost_model.pricing import price
from device_models.families import ConstantStep

DEVICE = ConstantStep(dw_min=0.2)
PRESETS = ("sar_45nm", "multi_tile_paper")


def hardware(preset="sar_45nm", **settings):
    """Return a design with the defaults of its preset, any setting replaced by keyword."""
    table = hardware_preset(preset)
    defaults = {name: value for name, value in table["defaults"].items() if name != "ideal_io"}
    return Hardware(**{"preset": preset, "node_nm": table["node_nm"]} | defaults | settings)


def algorithm(name, **parameters):
    kind = ALGORITHMS[name]
    return kind(kind.parameters_type(**parameters))


def schedule(name, shapes, design, *, samples, mini_batches, device=DEVICE, **parameters):
    """Return a scheduler that has recorded a whole training with assumed activity."""
    scheduler = Scheduler(algorithm(name, **parameters), design, shapes, device)
    scheduler.assume_training(samples=samples, mini_batches=mini_batches)
    return scheduler


def bill_of(scheduler, *, samples, batch_size=1, trace=None):
    """Price what a scheduler has recorded, or another trace on its floorplans."""
    kind = scheduler.algorithm
    return price(
        trace or scheduler.trace,
        scheduler.hardware,
        scheduler.floorplans,
        algorithm=kind.name,
        storage=kind.storage(batch_size),
        samples=samples,
        batch_size=batch_size,
    )


def assumed_bill(name, shapes, design, *, samples=64, batch_size=1, **parameters):
    """Price a training on shapes alone."""
    batches = -(-samples // batch_size)
    scheduler = schedule(name, shapes, design, samples=samples, mini_batches=batches, **parameters)
    return bill_of(scheduler, samples=samples, batch_size=batch_size)
