"""Two replicas on logical CPUs, in a process of their own, take the steps of one device."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import json
import keras
import numpy as np
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from components.trainer import loop
from components.trainer.model import build_model
from components.trainer.optimizer import build_optimizer
from components.trainer.settings import Settings
from tests.trainer.conftest import DIGITS_PRESET
s=Settings(**{**DIGITS_PRESET,"width":4,"learning_rate":0.02})
X=np.random.default_rng(1).normal(size=(640,32,32,3)).astype('f4'); Y=np.eye(10,dtype='f4')[np.arange(640)%10]
ds=tf.data.Dataset.from_tensor_slices((X,Y)).batch(64,drop_remainder=True).repeat().prefetch(2)
for strat in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0","CPU:1"])):
    keras.utils.set_random_seed(0)
    with strat.scope():
        m=build_model(32,10,4); o=build_optimizer(s,63); o.build(m.trainable_variables)
    step=loop.training_step(m,o,s,strat.num_replicas_in_sync)
    it=iter(strat.distribute_datasets_from_function(lambda c: loop._share(ds,c)))
    @tf.function
    def run(it):
        b=next(it)
        return loop._sum(strat, strat.run(step,args=b))
    print(json.dumps([float(run(it)[0]) for _ in range(21)]))
"""


def test_two_replicas_take_the_steps_of_one_device() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    one, two = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    assert two == pytest.approx(one, rel=1e-4)
