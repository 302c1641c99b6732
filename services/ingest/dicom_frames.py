"""Compressed frames of DICOM: a decoder that pydicom calls, over `services.ingest.codecs`. Runs in workers only.

pydicom finds the frame, compares what the codestream says with what the dataset says of signs, bits and colours, and
gives the array its shape. Its own plugins are not used: which of them work depends on what else is installed, and
the one for lossless JPEG is under the GPL.
"""

from collections.abc import Callable
from typing import Final

from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from services.ingest import codecs
from services.ingest.tonemap import Pixels

OURS: Final = "mitagger"

_JPEG: Final = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1})
_DECODERS: Final[dict[str, Callable[[bytes], Pixels]]] = {
    **dict.fromkeys(JPEG2000TransferSyntaxes, codecs.jpeg2000),
    **dict.fromkeys(JPEGLSTransferSyntaxes, codecs.jpeg_ls),
}
_BY_PYDICOM: Final = {ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian}

# pydicom asks a plugin for this: which libraries each syntax needs.
DECODER_DEPENDENCIES: Final = dict.fromkeys((*_JPEG, *_DECODERS), ("imagecodecs",))


def is_available(uid: str) -> bool:
    """Asked by pydicom."""
    return uid in DECODER_DEPENDENCIES


def plugin(syntax: UID) -> str | None:
    """The name under which pydicom decodes frames of this transfer syntax; "" when it needs none, None when nobody
    here can."""
    if syntax in _BY_PYDICOM:
        return ""
    if syntax == RLELossless:
        return "pydicom"
    if syntax not in DECODER_DEPENDENCIES:
        return None
    decoder = get_decoder(syntax)
    if OURS not in decoder.available_plugins:
        decoder.add_plugin(OURS, (__name__, "decode"))
    return OURS


def decode(frame: bytes, runner: DecodeRunner) -> bytes:
    """Called by pydicom: the pixels of one frame, as stored, by pixel. Raises codecs.Damaged."""
    if codecs.size(frame) != (runner.columns, runner.rows, runner.samples_per_pixel):
        raise codecs.Damaged("its frame is of another size than it says")
    pixels = _pixels(frame, runner)
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.shape[:2] != (runner.rows, runner.columns) or samples != runner.samples_per_pixel:
        raise codecs.Damaged("its frame has other channels than it says")
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", pixels.itemsize * 8)
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _pixels(frame: bytes, runner: DecodeRunner) -> Pixels:
    if runner.transfer_syntax in _JPEG:
        adobe = runner.samples_per_pixel == 3 and codecs.has_adobe(frame)
        if adobe:
            runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
        return codecs.jpeg(frame, adobe=adobe)
    # JPEG 2000: the codec has undone the codestream's own transform, which these two name.
    if runner.photometric_interpretation in (PhotometricInterpretation.YBR_ICT, PhotometricInterpretation.YBR_RCT):
        runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    return _DECODERS[runner.transfer_syntax](frame)
