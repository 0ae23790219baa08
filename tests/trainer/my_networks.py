"""Networks as a user writes them: a file with functions, outside of the package."""

import keras


def small_cnn(input_shape: tuple[int, int, int], classes: int) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(classes),
        ]
    )
