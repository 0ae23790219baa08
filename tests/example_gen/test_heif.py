"""HEIC images: read where a package for them is installed, else rejected with what to install."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from components import versions
from components.errors import UserError
from components.example_gen import heif, images
from components.example_gen.rejected import Rejected
from tests.example_gen import datasets
from tests.example_gen.factories import LIMITS

# Four rows of six grey squares of 16 pixels, each lighter than the one before; to be turned by 90 degrees to the right.
TURNED = base64.b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0004@ZDn*}000000000XXk=`10000000000aA{+700000000000000000000G-+&a"
    "V*mgE07O6l0ssL300001#Q*^S00000005c*0ssI200LhC0RR9100000Bme*aIB98aW&i*H00062000$fZf0cy000000RRAKc4ILB"
    "0000LX>Mj^0ssI300IC2MR;ju000004sdC7Z2$lO00031007`=aB^?}006*gaAR)(004Msc4I>U18@KU0FVFx0000U@BsY%`1k+-"
    "4+CHT0RR|40Sp2E{{wIU00RJ!0009300RIXx&lC90096iLID8-Z~y=U0FVFx0{{R603M()fd!W8Nhz*w0vZem00093$N&HX00=;0"
    "00968L;=Baup&SJ000wXZ)|dIV{CW;0RRmE27mwn02FC+aAg1h000000AK(B06+i$01$9#cxeCt0009B2nYZG010VwZ*&6y000<i"
    "aBX1#00000000310R@2q0|bQt000_ka%E-!00000000hSWOHKx0ssL30RR91#%*L_bN~PVmM8(Q2DnCnIsdzZ|GkvI{>_fr54DN-"
    "W)tX9BKPPtI4q||%u-694Z$GBt&32cYPA|qhR5zt(AV%U(h?TS;AH*4zM==~(pPPk;j(=9jOHHu+K}<pbens+<F9RnM=hm?7r@&e"
    "7VtIVmFvLq50j!_)|dHU1a|F<bT_&px6apCK>fbDhwJRbJ>A%R_d0*Ux{$yC000I>cxh$;08LE*DgXcg2mk>A5&#1L000311^@s6"
    "0000"
)
needs_package = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, heif.MODULES)), reason="neither pi-heif nor pillow-heif is installed"
)


@needs_package
def test_it_is_stored_upright() -> None:
    image = images.read(TURNED, *LIMITS)
    assert image.pixels.shape == (96, 64, 3)
    assert image.turned
    corners = [int(image.pixels[y, x].mean()) for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))]
    assert np.allclose(corners, [165, 3, 210, 48], atol=8)
    assert np.array_equal(images.read(image.encoded, *LIMITS).pixels, image.pixels)


@needs_package
def test_a_run_reads_it(tmp_path: Path) -> None:
    content = datasets.images_of({"cat": 5, "dog": 5}) | {"cat/a.heic": TURNED, "dog/cut.heic": TURNED[:500]}
    outcome = datasets.run(datasets.folder(tmp_path / "pets", content), tmp_path / "out")
    assert len(outcome.all) == 11
    assert outcome.counts["reoriented"] == 1
    assert list(outcome.reasons()) == ["dog/cut.heic"]
    assert outcome.reasons()["dog/cut.heic"].startswith("damaged image")
    assert set(versions.OPTIONAL) & set(versions.versions())


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in heif.MODULES:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(heif, "is_readable", heif.is_readable.__wrapped__)


@pytest.mark.usefixtures("without_packages")
def test_without_a_package_the_reason_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="a HEIC image: install the package pi-heif to read it, or convert it to JPEG"):
        images.read(TURNED, *LIMITS)
    root = datasets.folder(tmp_path / "pets", {"cat/a.heic": TURNED, "dog/b.heic": TURNED})
    with pytest.raises(
        UserError, match=r"none of its 2 images can be used \(2 × a HEIC image: install the package pi-heif"
    ):
        datasets.run(root, tmp_path / "out")
