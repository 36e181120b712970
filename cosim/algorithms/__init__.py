"""Training algorithms: one short file each says which operations make a step. Add a class here to add an algorithm."""

from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.algorithms.analog_sgd import AnalogSGD
from cosim.algorithms.digital_sgd import DigitalSGD
from cosim.algorithms.mixed_precision import MixedPrecision
from cosim.algorithms.residual_learning import ResidualLearning
from cosim.algorithms.tiki_taka_v2 import TikiTakaV2

ALGORITHMS: dict[str, type[Algorithm]] = {
    algorithm.name: algorithm for algorithm in (DigitalSGD, AnalogSGD, TikiTakaV2, MixedPrecision, ResidualLearning)
}

__all__ = ["ALGORITHMS", "Algorithm", "Parameters"]
