"""A point priced without training: the same plans, with the activity that is assumed or that a training had."""

from __future__ import annotations

import math
from typing import Any

from cosim.activity import ActivityLog
from cosim.config import Point
from cosim.scheduler import Scheduler
from cost_model.bill import Bill
from cost_model.hardware import Hardware
from cost_model.pricing import price


def make_scheduler(point: Point, hardware: Hardware | None = None) -> Scheduler:
    """Return the scheduler of a point, on its own hardware or on another."""
    return Scheduler(point.algorithm(), hardware or point.hardware, [spec.shape for spec in point.layers], point.device)


def pricing_terms(point: Point, scheduler: Scheduler) -> dict[str, Any]:
    """Return what `cost_model.pricing` wants to know beside trace, hardware and floorplans."""
    batch_size = min(point.resolved["training"]["batch_size"], point.train_samples)
    algorithm = scheduler.algorithm
    return {
        "algorithm": algorithm.name,
        "storage": algorithm.storage(batch_size),
        "samples": point.train_samples * point.resolved["training"]["epochs"],
        "batch_size": batch_size,
    }


def bill_of(point: Point, scheduler: Scheduler) -> Bill:
    """Price what the scheduler has recorded, per training sample."""
    return price(scheduler.trace, scheduler.hardware, scheduler.floorplans, **pricing_terms(point, scheduler))


def scheduled(point: Point, hardware: Hardware | None = None, activity: ActivityLog | None = None) -> Scheduler:
    """Return a scheduler that has recorded a whole training without doing it.

    Parameters
    ----------
    point
        What would be trained.
    hardware
        The design, or many designs at once; that of the point where not given.
    activity
        What happened in a training; what the preset assumes where not given.
    """
    training = point.resolved["training"]
    scheduler = make_scheduler(point, hardware)
    if activity is not None:
        scheduler.take_activity(activity)
        return scheduler
    batches = math.ceil(point.train_samples / training["batch_size"])
    samples = point.train_samples * training["epochs"]
    scheduler.assume_training(samples=samples, mini_batches=batches * training["epochs"])
    return scheduler


def price_point(point: Point, activity: ActivityLog | None = None) -> tuple[Bill, Scheduler]:
    """Price a point without training it and without reading data: the same plans, assumed activity or a given one."""
    scheduler = scheduled(point, activity=activity)
    return bill_of(point, scheduler), scheduler
