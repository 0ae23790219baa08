"""Trainer and Tuner: build, train, calibrate and export the network, under any `tf.distribute` strategy."""
