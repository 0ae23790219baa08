"""The artifacts that pass between stages: a module per artifact with its file names, fields, reader and writer.

The stage that writes an artifact and all that read it import the module; no stage imports another stage.
"""
