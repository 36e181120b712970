"""Training algorithms: one short file each says which operations make a step. Add a class here to add an algorithm.

The named settings of residual learning and its health rules have files of their own beside it.
"""

from cosim.algorithms.agad import Agad
from cosim.algorithms.algorithm import Algorithm, Parameters
from cosim.algorithms.analog_sgd import AnalogSGD
from cosim.algorithms.chopped_tiki_taka_v2 import ChoppedTikiTakaV2
from cosim.algorithms.digital_sgd import DigitalSGD
from cosim.algorithms.e_rider import ERider
from cosim.algorithms.mixed_precision import MixedPrecision
from cosim.algorithms.residual_learning import ResidualLearning
from cosim.algorithms.residual_learning_v2 import ResidualLearningV2
from cosim.algorithms.tiki_taka_v1 import TikiTakaV1
from cosim.algorithms.tiki_taka_v2 import TikiTakaV2

ALGORITHMS: dict[str, type[Algorithm]] = {
    algorithm.name: algorithm
    for algorithm in (
        DigitalSGD,
        AnalogSGD,
        TikiTakaV1,
        TikiTakaV2,
        ChoppedTikiTakaV2,
        Agad,
        MixedPrecision,
        ResidualLearning,
        ResidualLearningV2,
        ERider,
    )
}

__all__ = ["ALGORITHMS", "Algorithm", "Parameters"]
