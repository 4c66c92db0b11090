from __future__ import annotations

import pytest

from anomaly.dataset import refuse_bank_images
from anomaly.errors import LeakError


def test_bank_images_are_refused_by_name_whatever_they_are_called_now() -> None:
    bank = [("a.png", "aa"), ("b.png", "bb"), ("c.png", "cc")]
    with pytest.raises(LeakError) as caught:
        refuse_bank_images([("new.png", "nn"), ("renamed\n.png", "bb"), ("c.png", "cc")], bank)
    assert caught.value.paths == ("renamed\n.png", "c.png")
    assert "2 images" in str(caught.value)
    assert "renamed\\n.png (trained on as b.png), c.png" in str(caught.value)


def test_the_same_name_with_other_bytes_is_another_image() -> None:
    refuse_bank_images([("a.png", "xx")], [("a.png", "aa")])
