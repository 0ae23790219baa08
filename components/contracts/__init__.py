"""What passes between stages: one module an artifact, with its file names, its fields, and how it is read and written.

The stage that writes an artifact and all that read it import the module; no stage imports another stage.
"""
