"""ExampleGen: read any source of labelled images into `tf.Example`s in three splits."""
