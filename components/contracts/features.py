"""The names of the splits, the features of a raw tf.Example, and the inputs and outputs of the exported model."""

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

IMAGE = "image"  # bytes: the encoded image (JPEG, PNG or BMP)
LABEL = "label"  # int64: index into the sorted class names
CLASS_NAME = "class_name"  # bytes: the class, UTF-8
SOURCE = "source"  # bytes: where the image came from, UTF-8: a path, or the member and row of an archive
PIXELS_SHA256 = "pixels_sha256"  # bytes, 64 hex digits: of the RGB pixels of `image`, and `height` and `width`
HEIGHT = "height"  # int64, pixels of the upright image as found; `image` has fewer where it was reduced
WIDTH = "width"  # int64, likewise
CHANNELS = "channels"  # int64: bands of the image as found (1 grey, 3 colour, 4 with alpha)
NUM_BYTES = "num_bytes"  # int64: length of `image`
BRIGHTNESS = "brightness"  # float in [0, 1]: mean luma (ITU-R BT.601)
CONTRAST = "contrast"  # float in [0, 0.5]: standard deviation of luma
SHARPNESS = "sharpness"  # float in [0, 1]: mean absolute difference of luma between neighbours
COLOURFULNESS = "colourfulness"  # float, 0 for grey: Hasler and Suesstrunk (2003), of RGB in [0, 1]

# What every example has. Statistics and schema are of these.
ALWAYS_PRESENT = (
    *(IMAGE, LABEL, CLASS_NAME, SOURCE, PIXELS_SHA256, HEIGHT, WIDTH, CHANNELS, NUM_BYTES),
    *(BRIGHTNESS, CONTRAST, SHARPNESS, COLOURFULNESS),
)
ORIGINAL_SHA256 = "original_sha256"  # bytes, 64 hex digits: of the file, where `image` was reduced from a larger one

# Inputs and outputs of the exported model's signatures.
SERVING_DEFAULT = "serving_default"  # input `examples`: encoded images or serialized tf.Examples, string [N]
SERVE_IMAGES = "serve_images"  # input `images`: encoded images, string [N]
SERVE_TENSORS = "serve_tensors"  # input `pixels`: uint8 [N, H, W, 3]
CLASS_NAMES = "class_names"  # output: string [N, K], the same row for every image, in the order of `probabilities`
PROBABILITIES = "probabilities"  # output: float32 [N, K], rows sum to 1
CLASS_INDEX = "class_index"  # output: int64 [N], argmax of `probabilities`
