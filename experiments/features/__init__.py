"""Learned features: filters of the first layer, probes of each layer, and receptive fields.

A network of three convolutions is trained, and compared with its own random initial parameters,
with fixed Gabor filters as its first layer, and with the pixels (`networks` has all of them). A
linear probe, which is softmax regression on fixed features, measures how well the features of a
layer separate the classes. Deeper chains of convolutions with random weights show how the effective
receptive field depends on depth.

Command: python -m experiments features
"""

from experiments.features.evidence import LAST, evidence
from experiments.features.fields import INPUTS, SIDE
from experiments.features.figures import chains, field, filters, probes, selectivity
from experiments.features.measure import MOST, measure, parts, prepare
from experiments.features.networks import BINS, DEPTHS, MAPS
from experiments.features.orientation import DRAWS
from experiments.features.probe import STEPS
from experiments.features.tables import tables
from experiments.framework.claim import Claim
from experiments.framework.experiment import Experiment
from experiments.framework.images import identity
from experiments.framework.options import Options

POINTS = "percentage points"
PROBE = "test accuracy of linear probes"
SHALLOW, *_, DEEP = DEPTHS
CHAINS = "of chains of convolutions 3×3 with relu and He's initialization"
EXPERIMENT = Experiment(
    name="features",
    title="Learned features: filters, linear probes and receptive fields",
    description="The first layer's filters, what each layer's features are worth, and their reach.",
    chapter="layers",
    sources="LeCun et al. 1998; Jarrett et al. 2009 (random filters); Krizhevsky, Sutskever & "
    "Hinton 2012; Zeiler & Fergus 2014; Yosinski et al. 2014; Alain & Bengio 2016 (linear "
    "probes); Luo et al. 2016 (effective receptive field)",
    claims=(
        Claim(
            "Training makes the filters of the first layer more selective for orientation",
            "mean selectivity index of the first layer's filters, learned − random",
        ),
        Claim(
            "The first layer learns edges: at least half of its filters are more selective for "
            "orientation than 95 % of random filters",
            f"learned filters of all seeds with a selectivity index above that of 95 % of {DRAWS:,}"
            " random filters",
            "at least",
            0.5,
        ),
        Claim(
            "The probe's test accuracy rises with each layer of the trained network, from the "
            "pixels to layer 3",
            f"{PROBE}, the smallest of the three mean rises from one layer to the next, which is "
            "found on the same test images, so that it is lower by chance",
            unit=POINTS,
            changed="the smallest rise of each seed is below that of the means by chance",
        ),
        Claim(
            "Learned features of layer 3 have a higher test accuracy than random ones of the same "
            "network",
            f"{PROBE} of {LAST}, learned − random",
            unit=POINTS,
            changed="the text did not state the layer",
        ),
        Claim(
            "Random features of layer 3 have a higher test accuracy than raw pixels",
            f"{PROBE}, random, {LAST} − raw pixels",
            unit=POINTS,
            changed="the text had 'pixels', which are raw pixels",
        ),
        Claim(
            "The learned first layer loses at most 1 point of test accuracy to the same number of "
            "Gabor filters",
            f"{PROBE} of layer 1, learned − Gabor",
            margin=-1.0,
            unit=POINTS,
            changed="'as many' may be read as any number",
        ),
        Claim(
            "The pixels that a feature depends on are exactly a square with the side of the "
            "formula, 1 + Σ (k − 1) × the strides before it",
            "convolutions and pooling × seeds of the trained network with a gradient in exactly a "
            "square of this side",
            "at least",
            1.0,
            changed="the place of the square is not checked, and pooling is counted too",
        ),
        Claim(
            f"The effective receptive field of {DEEP} convolutions with random weights has less "
            "than half of the pixels of the receptive field",
            f"log2 of pixels, receptive field − effective receptive field, {DEEP} layers {CHAINS}",
            margin=1.0,
            unit="doublings",
            changed="the claim is about deep networks, and layer 3 is not deep",
        ),
        Claim(
            "With depth, the effective receptive field becomes a smaller share of the receptive "
            f"field: of {DEEP} convolutions with random weights, smaller than of {SHALLOW}",
            "log2 of the effective receptive field's share of the pixels, "
            f"{SHALLOW} − {DEEP} layers {CHAINS}",
            unit="doublings",
        ),
    ),
    config=Options,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    figures={
        "filters": filters,
        "selectivity": selectivity,
        "probes": probes,
        "field": field,
        "chains": chains,
    },
    summary=lambda config, m: (
        f"A network of three convolutions, trained on {config.dataset}, and its filters and "
        f"features. Epochs: {config.epochs}; seeds: {config.seeds}."
    ),
    notes=lambda config: [
        f"The network: conv k×k, conv 3×3, max pool 2, conv 3×3, dense, with relu and {MAPS} maps; "
        "k is 5 for images below 16 pixels, else 7. random: the same network before training, with "
        "He's initialization and the same seeds. Gabor: fixed filters of 8 orientations and 2 "
        "phases as its first layer.",
        f"Features of a layer are means of its maps over {BINS}×{BINS} bins, so that each layer "
        "has 256; those of layer 2 are after its max pooling. The pixels are not averaged. On "
        "digits they are 64 features, and those of layer 1 are means of 2×2 pixels.",
        f"A probe is softmax regression with an L2 penalty, {STEPS} steps of Adam on all training "
        "images, on features standardized by these images. Its strength, and the learning rate of "
        "the network, have the highest mean accuracy on a tenth of the training images, which are "
        "not trained on. At most "
        f"{MOST:,} original training images are used.",
        "Selectivity index: 1 − the circular variance of the amplitudes of the response to "
        "gratings of 12 angles, at the frequency of the largest response, of 0.1 to 0.4 cycles per "
        "pixel. Random filters have independent normal weights. With several channels, a filter is "
        "the sum over them.",
        f"Receptive fields are those of a feature in the middle of {INPUTS} random images of "
        f"{SIDE}×{SIDE} pixels. A pixel counts if its gradient, the mean of absolute values over "
        "images and maps, is not zero; as effective if it is at least 4.55 % of the largest.",
        f"Chains are not trained. Each of their convolutions has {MAPS} maps. Their input is one "
        f"random image of {MAPS} channels, of the size of the largest receptive field.",
    ],
    reach="One small network on small images with at most 10,000 training images, without weight "
    "decay, so that the random start remains in the filters. Filters of large networks on "
    "photographs, and transfer to other data, are not covered.",
    data=lambda prepared: identity(prepared.images.train),
)
