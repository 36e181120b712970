"""Decks: what a simulator would swallow or crash on is refused before, with the line and the reason."""

import re

import pytest

from circuits.decks import Deck, NetlistError, number_of
from circuits.simulator import has_ngspice

DIVIDER = "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k"


def deck(body=DIVIDER, **changed):
    return Deck(**{"title": "test", "body": body, "analysis": ".op", "save": ("v(b)",), **changed})


def test_the_text_is_what_a_simulator_reads():
    text = deck(options={"reltol": 1e-4, "noopiter": True}, temperature_k=358.0).text()
    assert text == (
        "* test\n.options temp=84.85000000000002 reltol=0.0001 noopiter\n"
        "V1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.save v(b)\n.op\n.end\n"
    )


def test_the_digest_tells_decks_apart():
    digests = {
        deck().digest,
        deck(DIVIDER.replace("1k", "2k")).digest,
        deck(temperature_k=301.0).digest,
        deck(analysis=".tran 1n 2n").digest,
        deck(save=("v(a)",)).digest,
        deck(options={"reltol": 1e-4}).digest,
    }
    assert len(digests) == 6
    assert deck().digest in digests


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("V1 a 0 1\nRbad a", "deck 'test', line 2 of its body (rbad a): it is too short; a name, 2 nodes and a value"),
        ("V1 a 0 1\nR1 a 0 1k\nR1 a 0 2k", "line 3 of its body (r1 a 0 2k): name 'r1' is taken twice"),
        ("V1 a 0 1\nR1 a 0 nan", "'nan' is not a finite number"),
        ("V1 a 0 1\nR1 a 0 1e400", "'1e400' is not a finite number"),
        ("V1 a 0 1\nC1 a 0 inf", "'inf' is not a finite number"),
        ("V1 a 0 nan\nR1 a 0 1", "'nan' is not a finite number"),
        ("V1 a 0 PULSE(0 inf 0 1n 1n 1n 2n)\nR1 a 0 1", "is not a finite number"),
        ("V1 a 0 1\nR1 a 0 0", "a resistance of 0"),
        ("V1 a 0 1\nR1 a 0 much", "'much' is not a finite number"),
        ("V1 a 0 1\nR1 a c 1k", "(r1 a c 1k): nothing else is connected to its node 'c'"),
        ("V1 a 0 1\nR1 a 0 1k\nM1 a 0 0 0 nmos_vtg w=1u l=50n", "model 'nmos_vtg' is not defined"),
        ("V1 a 0 1\nS1 a 0 a 0 sw", "model 'sw' is not defined"),
        ("V1 a 0 1\nX1 a 0 cell", "its subcircuit is not defined; defined: none"),
        (".subckt cell p q\nR1 p q 1k\n.ends\nV1 a 0 1\nX1 a cell", "it has 1 nodes; cell has 2"),
        (".subckt cell p q\nR1 p q 1k\nV1 a 0 1", "a .subckt has no .ends"),
        ("V1 a 0 1\nR1 a 0 1k\n.ends", "there is no .subckt to end"),
        (".subckt cell p q\nR1 p q 1\n.ends\n.subckt cell p q\nR1 p q 1\n.ends", "'cell' is defined twice"),
        (".subckt cell p q\nR1 p x 1\nR2 p q 1\n.ends", "nothing else is connected to its node 'x'"),
        (".subckt cell\n.ends", "a subcircuit needs a name and at least one node"),
        (".model sw", "a model needs a name and a type"),
        ("V1 a 0 np.float64(1.0)\nR1 a 0 1", "'np.float64(1.0)' is how Python writes a number of numpy"),
        ("V1 a 0 1\nB1 a 0 1", "it needs v=… or i=…"),
        ("V1 a 0 1\nY1 a 0 1", "no element starts with 'y'"),
        ("V1 a 0 1\nR1 a r=1k 0", "it needs 2 nodes"),
    ],
)
def test_broken_netlists_are_refused_with_their_line(body, message):
    with pytest.raises(NetlistError, match=re.escape(message)):
        deck(body)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"title": "two\nlines"}, "its title must be one line"),
        ({"save": ()}, "nothing is saved"),
        ({"analysis": "run"}, "analysis 'run' is not one of .op, .dc"),
        ({"temperature_k": 0.0}, "temperature_k = 0.0 is not allowed"),
    ],
)
def test_broken_decks_are_refused(changed, message):
    with pytest.raises(NetlistError, match=re.escape(message)):
        deck(**changed)


def test_what_is_allowed_passes():
    body = """* a comment
    .subckt cell p q params: r=1k
    R1 p q {r}
    .ends
    .model sw sw vt=0.5
    V1 a 0 PULSE(0 1 0 10p 10p
    + 1n 2n)            $ a continued line
    X1 a b cell r=2k    ; with a parameter
    R2 b 0 2k
    S1 b 0 a 0 sw
    B1 c 0 v=v(a)*2     * seen by its expression alone
    E1 d 0 c 0 1
    """
    deck(body, save=("v(d)",))


def test_numbers_are_read_as_spice_reads_them():
    assert number_of("2.5k") == 2500
    assert number_of("10pF") == pytest.approx(1e-11)
    assert number_of("3meg") == 3e6
    assert number_of("1e-3") == 1e-3
    assert number_of(".5") == 0.5
    assert number_of("v(a)") is None
    assert number_of("") is None


@pytest.mark.skipif(not has_ngspice(), reason="ngspice is not installed")
def test_transistors_are_known_by_their_cards():
    pytest.importorskip("PySpice")
    body = "V1 a 0 1\nM1 a a 0 0 NMOS_VTG w=100n l=50n"
    assert ".include cards.spi" in deck(body, corner="slow", save=("i(v1)",)).text()
    with pytest.raises(ValueError, match="corner 'typical' is unknown; known: nominal, fast, slow"):
        deck(body, corner="typical")
