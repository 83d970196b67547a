"""What each family of models brought and what it is good for, in two sentences for people who are no experts."""

from __future__ import annotations

from core.i18n import N_

# fmt: off
BROUGHT: dict[str, str] = {
    # -- vision --------------------------------------------------------------------------------------------------------
    "AlexNet": N_("The deep network whose victory in the ImageNet contest of 2012 set off today's deep learning. "
        "Large and inaccurate beside newer ones, so mostly for comparison and teaching."),
    "VGG": N_("Showed that many plain layers of small 3×3 filters beat a few layers of large ones. Easy to understand "
        "and still used for style transfer, but large and slow."),
    "GoogLeNet": N_("Looks at a picture through filters of several sizes side by side, with twelve times fewer "
        "parameters than AlexNet. Small for its time; today a classic to compare with."),
    "Inception": N_("Splits large filters into chains of small ones; later versions add ResNet's shortcuts. Accurate "
        "for its age, and its features are still the yardstick for scoring generated pictures (FID)."),
    "ResNet": N_("Shortcuts around the layers let networks of a hundred layers and more learn at all. The "
        "best-understood choice: sturdy, quick to fine-tune, with weights from many training recipes."),
    "SqueezeNet": N_("Reached AlexNet's accuracy with fifty times fewer parameters. Good where the file has to be "
        "tiny and accuracy matters less."),
    "Wide ResNet": N_("Showed that making layers wider works as well as adding more of them, and trains faster. Good "
        "on hardware that likes large layers; takes more memory than ResNet."),
    "DenseNet": N_("Hands the output of every layer on to all later ones of its block, so that nothing has to be "
        "learned twice. Few parameters for its accuracy and popular for medical pictures, but hungry for memory in "
        "training; RDNet revived it in 2024."),
    "Xception": N_("Looks for patterns in space and across channels in two separate, cheaper steps. Accurate at "
        "moderate size, and the backbone of many segmentation networks."),
    "ResNeXt": N_("ResNet with many parallel branches in each block: more accurate for the same amount of work. A "
        "good step up from ResNet; some of its weights first learned from about a billion photographs."),
    "MobileNetV1": N_("Made networks fit for phones by filtering each channel on its own and mixing the channels "
        "afterwards. Very small and quick; its successors are more accurate at the same cost."),
    "DPN": N_("Joins the ideas of ResNet and DenseNet: reuse the features that are there, and keep adding new ones. "
        "Accurate for its time; seldom chosen today."),
    "DLA": N_("Merges shallow and deep layers step by step in a tree, so that fine detail and meaning meet. Suited as "
        "a backbone for finding objects and their parts."),
    "NASNet": N_("Its building block was found by a search on small pictures and carried over to large ones; PNASNet "
        "found one with less searching. Very accurate in 2017, but large and slow."),
    "SE-ResNet": N_("Lets ResNet weigh its channels by what the whole picture shows; ECA, GC and SK are relatives of "
        "this idea. A little more accurate than ResNet for hardly more work."),
    "MobileNetV2": N_("Blocks that widen, filter cheaply and narrow again made small networks much better. A safe "
        "choice for phones, quick to fine-tune and easy to shrink further."),
    "ShuffleNetV2": N_("Designed by measured speed instead of counted operations, with a shuffle that mixes the "
        "channels almost for free. Good for slow processors."),
    "MNASNet": N_("Found by a search that timed each candidate on a real phone. Small and quick on phones; "
        "MobileNetV3 and EfficientNet grew out of this search."),
    "ResNet-D": N_("Small changes at the start of ResNet and where it shrinks the picture make it more accurate at "
        "hardly any cost. Fine-tunes like ResNet and is the better choice at equal size."),
    "FBNet": N_("Found by a search that learns the weights and the shape of the network together, with a device's "
        "speed in the goal; Single-Path NAS and HardCoRe-NAS go the same way. Quick on phones and ordinary "
        "processors."),
    "Res2Net": N_("Looks at several scales at once inside a single block. Helps where things appear small and large "
        "in the same picture."),
    "VoVNet": N_("Collects the outputs of several layers once, at the end of a block, where DenseNet does so at every "
        "layer. Faster than DenseNet and light on energy; made as a backbone for finding objects."),
    "MobileNetV3": N_("Found by a search and refined by hand for the processors of phones. One of the quickest "
        "choices for small devices, at a fair accuracy."),
    "EfficientNet": N_("Grows depth, width and picture size together by one rule, from a small network to large ones. "
        "Much accuracy for few parameters and a good first choice; its Lite kind is the easiest to shrink to 8 bits."),
    "SelecSLS": N_("Chooses carefully which earlier layers to connect; made to follow the movements of people live "
        "with one camera. Quick on graphics cards at a fair accuracy."),
    "MixNet": N_("Mixes filters of several sizes within one layer. Small networks for phones with good accuracy, "
        "though not always as quick as their count of operations suggests."),
    "HRNet": N_("Keeps a fine-grained view of the picture through all layers, beside coarser ones. Made for poses, "
        "segmentation and other tasks where the exact place matters."),
    "CSPNet": N_("Sends only part of the channels through each stage, which saves work and memory; Darknet, known "
        "from the YOLO detectors, and CSPNeXt stand here too. Good backbones for finding objects quickly."),
    "GhostNet": N_("Computes a few features in full and derives the others from them by cheap steps, as ghosts. Small "
        "and quick on phones; RepGhost turns into a simpler network once it is trained."),
    "BiT": N_("Showed how far a plain ResNet comes when it first learns from very many pictures, and gave one recipe "
        "for fine-tuning. Strong with few labelled pictures of your own; large."),
    "RegNet": N_("Not one network but a simple rule for good ones, found by comparing whole populations of designs. "
        "Even quality from tiny to huge, and quick on graphics cards."),
    "TResNet": N_("ResNet rebuilt for the way graphics cards work. More accurate than ResNet50 at a similar speed on "
        "a graphics card."),
    "ResNeSt": N_("Splits the channels into groups and lets the network weigh them against each other. More accurate "
        "than ResNet as a backbone for finding and outlining objects, at some cost in speed."),
    "GERNet": N_("Found by a search for networks that are fast on graphics cards. Quick answers there at ResNet's "
        "accuracy and above."),
    "ReXNet": N_("Widens its channels evenly from layer to layer, so that no narrow place loses information. Small "
        "networks, a little more accurate than MobileNets of the same cost."),
    "RepVGG": N_("Trains with several branches, then folds them into a plain chain of 3×3 filters without loss. Quick "
        "to answer; the folded weights are hard to shrink to 8 bits."),
    "BoTNet": N_("Replaces the last filters of ResNet by attention, which relates every place to every other; HaloNet "
        "and LambdaNetworks find cheaper ways to the same end. More accurate than ResNet, for finding objects above "
        "all."),
    "NFNet": N_("Does without batch normalisation, the step that ties the pictures of a batch together, and still "
        "learns stably. Among the most accurate of 2021 and fine with small batches, but large."),
    "ResNet-RS": N_("Showed that much of what newer networks had gained came from training and scaling, which ResNet "
        "can have too. Accurate, and quick on graphics cards."),
    "EfficientNetV2": N_("Smaller and several times faster to train than EfficientNet, by a mixture of blocks and "
        "pictures that grow during training. A very good choice for fine-tuning at middle size."),
    "PP-LCNet": N_("Designed for ordinary processors: cheap layers, placed where they cost the least time. Among the "
        "quickest for answering without a graphics card."),
    "PP-HGNet": N_("Made by PaddlePaddle for graphics cards, mostly from plain 3×3 filters. Quick and accurate there; "
        "its second version is the backbone of RT-DETR object detectors."),
    "ConvNeXt": N_("A network of filters only, modernised step by step with what transformers had taught. As accurate "
        "as they are, simple, and a very good choice for fine-tuning."),
    "ConvMixer": N_("Cuts the picture into patches and then only filters them, in a few lines of code. Simple and "
        "small, but slow."),
    "FocalNet": N_("Gathers the surroundings of each place at several distances instead of comparing all places by "
        "attention. Accurate, also as a backbone for finding and outlining objects."),
    "MobileOne": N_("Trains with many branches and folds them into a plain chain: about a millisecond on an iPhone "
        "12. Among the quickest for phones."),
    "ConvNeXt V2": N_("ConvNeXt that learns first by filling in hidden parts of pictures, from under four million "
        "parameters to over six hundred. Good for fine-tuning in every size, the small ones above all."),
    "FasterNet": N_("Filters only some of the channels and passes the others on, which saves traffic to the memory. "
        "Quick on processors, graphics cards and phones alike."),
    "InceptionNeXt": N_("Splits ConvNeXt's large filter into a small square and two long strips. ConvNeXt's accuracy "
        "at a higher training speed."),
    "RepViT": N_("A network of filters laid out like the transformers for phones, and folded to a simpler form after "
        "training. Quick and accurate on phones."),
    "StarNet": N_("Multiplies two views of its features with each other, which acts like far more channels. A "
        "deliberately simple, small network for phones."),
    "MobileNetV4": N_("One block that covers the best ones before it, tuned for all the chips of phones; MobileNetV5, "
        "which sees for Gemma 3n, is built from it. A strong first choice for phones."),
    "MambaOut": N_("Took the Mamba block without its memory for sequences, and showed that naming pictures does not "
        "need it. A plain and accurate network of gated filters."),
    "EfficientViM": N_("Brings Mamba's memory for sequences to small vision networks in a cheap form. Quick answers "
        "on graphics cards for its accuracy."),
    "CSATv2": N_("Turns the picture into frequencies first, as JPEG does, and so drops redundant detail early. Made "
        "to sort large pictures of 512 pixels and up at high speed; there is no paper yet."),
    "MLP-Mixer": N_("Showed that pictures can be learned with neither filters nor attention, only by mixing places "
        "and channels in turn; ResMLP and gMLP are of the same kind. Of interest for research; takes pictures of one "
        "size only."),
    "MetaFormer": N_("Showed that a transformer's layout matters more than its attention: mere averaging does "
        "(PoolFormer), filters or mixtures do better (ConvFormer, CAFormer). CAFormer is very accurate for its size."),
    "Sequencer": N_("Reads the rows and columns of a picture with LSTMs, the memory cells of older language models. "
        "Copes well with other picture sizes than it learned, but is slow."),
    "Vision Transformer": N_("Reads a picture as a row of patches, as a language model reads words, and relates each "
        "to every other. Excels after learning from very many pictures; with few of your own, train the head only or "
        "fine-tune gently."),
    "DeiT": N_("Taught vision transformers with ImageNet alone, by strong variation of the pictures and a teacher; "
        "DeiT III needs no teacher any more. A solid base for fine-tuning, from tiny to huge."),
    "DINO": N_("Learns without any labels by making two views of a picture agree; its attention outlines objects by "
        "itself. Its features sort pictures and find similar ones well, even without fine-tuning."),
    "BEiT": N_("Brings BERT's fill-in game to pictures: guess the visual words of hidden patches. Accurate after "
        "fine-tuning, also as a backbone for segmentation."),
    "MAE": N_("Hides three quarters of a picture and learns to paint them in, which needs no labels. Strong when all "
        "layers are fine-tuned; weaker when only the head is trained."),
    "EVA": N_("Learns by rebuilding what CLIP sees in hidden patches; EVA-02 does so with less, and EVA-CLIP adds "
        "texts. Among the most accurate for naming pictures."),
    "FlexiViT": N_("One vision transformer that works with patches of many sizes; the NaFlex kind also takes pictures "
        "of any shape. Small patches for accuracy or large ones for speed, with the same weights."),
    "I-JEPA": N_("Learns without labels by predicting the meaning of hidden parts, not their pixels. Good features "
        "for a trained head; comes in very large sizes only."),
    "SAM": N_("Outlines any object at a click, having learned from a billion outlines; SAM 2 also follows it through "
        "videos. The weights here are the part that sees: a backbone for large pictures and fine detail."),
    "DINOv2": N_("DINO at large scale, on carefully chosen pictures and still without labels. Features so general "
        "that a small head on top often suffices: for sorting, searching, depth and segmentation."),
    "RADIO": N_("One network that learned from several large teachers at once, such as CLIP, DINOv2 and SAM. A single "
        "backbone for naming, searching and outlining."),
    "Sapiens": N_("Learned from hundreds of millions of pictures of people, at high resolution. For poses, body "
        "parts, depth and surfaces of people; the weights here are those of Sapiens2."),
    "DINOv3": N_("DINO grown to seven billion parameters and 1.7 billion pictures, with fine detail kept clean; "
        "smaller ones learned from it. Very strong features without fine-tuning, with weights for satellite pictures "
        "too."),
    "EUPE": N_("Gathers several large teachers into one big network first, and teaches small ones from that. "
        "All-round features for small devices."),
    "LingBot-Vision": N_("Learns without labels with an eye on edges: the outlines of things must be guessed. "
        "Fine-grained features for depth, segmentation and other tasks where the exact place matters."),
    "TNT": N_("Puts a small transformer for the pixels of a patch inside the large one for the patches. Keeps finer "
        "detail than a plain vision transformer, at some cost in speed."),
    "ConViT": N_("Begins like a network of filters and learns by itself how far to look. Learns from fewer pictures "
        "than a plain vision transformer."),
    "Swin Transformer": N_("Attention within small windows that shift from layer to layer, so that large pictures "
        "stay affordable. A proven backbone for naming, finding and outlining things."),
    "CrossViT": N_("Reads patches of two sizes in two branches that inform each other. More accurate than DeiT of "
        "similar size."),
    "PiT": N_("A vision transformer that shrinks the picture stage by stage, as networks of filters do. Better "
        "accuracy for the same work than a plain vision transformer."),
    "CaiT": N_("Made very deep vision transformers trainable, and asks for the class only in the last layers. "
        "Accurate from ImageNet alone, but slow."),
    "LeViT": N_("A transformer built for speed, which begins with filters and shrinks the picture quickly. Very quick "
        "answers on processors and graphics cards."),
    "CoaT": N_("Works at several scales side by side and lets them inform each other by attention. Small networks "
        "with good accuracy, also for finding objects."),
    "Visformer": N_("Turned a transformer into a network of filters step by step and kept the best of both. Learns "
        "well from few pictures, for a transformer."),
    "Twins": N_("Alternates attention within windows with attention between their summaries, out of ordinary "
        "operations only. Easy to deploy; a backbone for finding and outlining things."),
    "NesT": N_("Applies plain attention within blocks of the picture and merges the blocks stage by stage. Learns "
        "from fewer pictures, and can show which block decided."),
    "SegFormer": N_("Names every pixel of a picture with a layered transformer and a very light head. From quick to "
        "very accurate sizes; the published weights know streets and everyday scenes."),
    "CoAtNet": N_("Stacks filters below and attention above, and so learns from few pictures as well as from very "
        "many. Accurate at middle size."),
    "XCiT": N_("Attention between channels instead of places, so that the work only grows in step with the picture. "
        "Suited to large pictures and fine detail."),
    "VOLO": N_("Looks closely at small neighbourhoods first and relates the whole picture afterwards. Very accurate "
        "from ImageNet alone, at large picture sizes; not quick."),
    "PVT v2": N_("A transformer that narrows like a pyramid, as backbones for finding objects need it. A handy "
        "backbone, in sizes from very small up."),
    "MobileViT": N_("Puts a little attention into a MobileNet, so that a network for phones sees the whole picture. "
        "Few parameters for its accuracy; slower on phones than filters alone."),
    "Swin Transformer V2": N_("Swin for larger networks and larger pictures, with steadier training and windows that "
        "can change their size. Used as Swin is, and better where pictures are larger than in training."),
    "MViTv2": N_("Attention that pools as it goes, made for videos and pictures alike. A strong backbone for finding "
        "objects."),
    "MaxViT": N_("Alternates attention within blocks with attention over a sparse grid, with filters between. Very "
        "accurate, also on large pictures; heavy in training."),
    "DaViT": N_("Alternates attention over places, in windows, with attention over channels. An accurate backbone; "
        "Florence-2 sees with it."),
    "EfficientViT (MIT)": N_("Replaces costly attention by a form whose work only grows in step with the picture. "
        "Quick on large pictures, also on phones and small boards."),
    "EfficientFormer": N_("Showed that a transformer can be as quick on a phone as MobileNet, with a layout chosen by "
        "measured speed. Good for phones; the second version is smaller still."),
    "GC ViT": N_("Alternates attention within windows with a summary of the whole picture. Accurate at small to "
        "middle size."),
    "EdgeNeXt": N_("Mixes filters with attention over channels in a network for small devices. Few parameters and "
        "good accuracy for phones and small boards."),
    "Next-ViT": N_("Builds transformer blocks from pieces that run fast in production, under TensorRT and on phones. "
        "For accurate answers that must also be quick."),
    "TinyViT": N_("Small transformers that learned from a large teacher whose answers were stored once. Strong for "
        "their 5 to 21 million parameters, and good for fine-tuning."),
    "FastViT": N_("A mixture of filters and attention that folds its branches after training. A good balance of speed "
        "and accuracy on phones and graphics cards."),
    "SwiftFormer": N_("Replaces attention by a cheap additive form in every stage. Made for live use on phones."),
    "EfficientViT (Microsoft)": N_("Saves traffic to the memory and gives each attention head its own share of the "
        "features. Very quick on graphics cards and processors, at a fair accuracy."),
    "Hiera": N_("Learns by filling in hidden parts, and so needs none of the additions of other layered transformers. "
        "Simple, quick and accurate; SAM 2 sees with it."),
    "SHViT": N_("A single attention head over part of the channels, on strongly reduced pictures, is enough for small "
        "networks. Quick on processors, graphics cards and phones."),
    "LowFormer": N_("Designed by measured speed, with attention at reduced resolution; CPUBone does the same for "
        "devices that can do little at once. Quick answers on ordinary hardware."),
    "iFormer": N_("Filters in the early stages and a light attention in the late ones, made for phones. About a "
        "millisecond on an iPhone 13 at good accuracy."),
    "DETR": N_("Finds all objects of a picture in one go, as a set, without the hand-made rules of earlier detectors. "
        "For finding things and drawing boxes around them; weak on very small things."),
    "YOLOS": N_("Showed that a plain vision transformer, hardly changed, can find objects as well as name pictures. "
        "For finding things and drawing boxes around them on modest machines; not the most accurate."),
    # -- nlp -----------------------------------------------------------------------------------------------------------
    "Marian": N_("A fast translator, with over a thousand small models for pairs of languages trained on public texts "
        "(OPUS-MT). For translating, Chinese and English among them, also without a graphics card."),
    "BERT": N_("Learns language by guessing hidden words from the text on both sides. The standard base for sorting "
        "texts, finding names and answering questions."),
    "GPT-2": N_("Predicts the next word, and at 1.5 billion parameters wrote texts that read almost like a person's. "
        "For continuing English texts; it makes facts up, and does not follow instructions."),
    "ERNIE": N_("Baidu's BERT for Chinese, which hides whole words, phrases and names instead of single characters. "
        "For sorting and understanding Chinese texts."),
    "Chinese BERT (wwm)": N_("BERT for Chinese that hides whole words while it learns, not single characters. A "
        "reliable base for Chinese texts of every kind."),
    "RoBERTa": N_("BERT trained longer, on ten times as much text and with a simpler goal. More accurate than BERT "
        "for English at the same size and speed."),
    "ALBERT": N_("BERT whose layers all share one set of weights, so that the file becomes very small. Saves disk and "
        "memory, but no time: every layer still runs."),
    "DistilBERT": N_("BERT's pupil: 40% smaller and 60% faster, with 97% of its ability. A good first choice for "
        "English texts on modest machines."),
    "T5": N_("Turns every task into writing a text from a text: translate, sum up, answer, sort. For summaries, "
        "rewriting, and translation from English to German, French and Romanian."),
    "BART": N_("Learns to repair damaged texts, and so both reads and writes. Good for summaries; its MNLI weights "
        "also sort texts by labels that it never learned."),
    "XLM-RoBERTa": N_("One model for a hundred languages, trained on 2.5 terabytes of text from the web. Fine-tuned "
        "in one language it works in others too, Chinese among them; large because of its vocabulary."),
    "MiniLM": N_("A small pupil that copies how its teacher's last layer relates the words. Quick sentence vectors "
        "for searching and sorting; the bundled one knows English."),
    "ELECTRA": N_("Learns from every word by spotting those that a small helper has replaced. Much ability for little "
        "training, and strong in its small size."),
    "MacBERT": N_("Chinese BERT that swaps words for similar ones instead of blanks, for real texts have no blanks. "
        "One of the best bases of its size for Chinese."),
    "DeBERTa": N_("Keeps a word's meaning and its place apart when it relates words; version 3 learns as ELECTRA "
        "does. Among the most accurate for English at its size; slower than BERT."),
    "mT5": N_("T5 for 101 languages, Chinese among them. A base that is of use only after fine-tuning: for summaries, "
        "translation, sorting."),
    # -- multimodal ----------------------------------------------------------------------------------------------------
    "ALIGN": N_("Learned from 1.8 billion pictures with their raw captions from the web: quantity makes up for noise. "
        "Finds pictures by words and sorts them by labels given on the spot, in English."),
    "CLIP": N_("Learned from 400 million pictures with captions which text fits which picture. Sorts pictures by any "
        "words without training, searches them, and is a strong base for fine-tuning."),
    "unCLIP": N_("Turns a text into the vector that CLIP would give its picture, and that into pixels: the way of "
        "DALL-E 2. Makes pictures from descriptions; slow without a graphics card."),
    "BEiT-3": N_("Treats pictures as a foreign language and learns them together with texts in one transformer. The "
        "weights here are the part that sees, accurate for naming pictures."),
    "Chinese-CLIP": N_("CLIP for Chinese, from about 200 million pictures with Chinese texts. Sorts and searches "
        "pictures by Chinese words."),
    "SigLIP": N_("CLIP with a simpler goal that judges each pair of picture and text on its own; SigLIP 2 knows many "
        "languages. More accurate than CLIP at the same size, for sorting, searching and fine-tuning."),
    "MobileCLIP": N_("CLIP for phones, which learned from the stored answers of large teachers. Sorts and searches "
        "pictures by words within milliseconds."),
    "InternViT": N_("The part of the InternVL models that sees, taught by one of six billion parameters. Reads "
        "documents and fine print well."),
    "ViTamin": N_("A mixture of filters and attention, designed for learning from pictures with texts. For sorting "
        "pictures by words, and as a base for fine-tuning."),
    "TIPS": N_("Learns from captions and from hidden patches together, so that it knows what is where. For searching "
        "by words as well as for depth and segmentation; the weights here are those of TIPSv2."),
    "AIMv2": N_("Learned by continuing: first the patches of a picture, then the words of its caption. Strong "
        "features without fine-tuning, and a good base for models that talk about pictures."),
    "Perception Encoder": N_("Found that the best features lie in the middle layers, and brought them to the end. The "
        "core weights are for sorting and searching, lang for talking about pictures, spatial for finding things."),
    "Qwen3-VL": N_("The part of Alibaba's Qwen3-VL models that sees, taken out for use on its own. A general backbone "
        "that takes pictures of any shape; weights of later Qwen models stand here too."),
    "Gemma 4": N_("The part of Google's Gemma 4 models that sees, taken out for use on its own. A general backbone "
        "for features and fine-tuning, in two sizes."),
    "DeepSeek-V4": N_("The part of the DeepSeek-V4 models that sees, taken out for use on its own. A general backbone "
        "for features and fine-tuning that takes pictures of any shape."),
    "wav2vec 2.0": N_("Learns the sounds of speech from recordings without transcripts. Recognises speech after "
        "fine-tuning with very little transcribed speech."),
    "Whisper": N_("Learned from 680,000 hours of recordings with transcripts from the web, in nearly a hundred "
        "languages. Writes down speech, Chinese and English among it, and translates it into English."),
}
