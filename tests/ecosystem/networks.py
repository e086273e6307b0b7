"""The networks of the corpus, by package: a TARGET, its `--arg`, and its `--input` where the default is not meant."""

from __future__ import annotations

from typing import NamedTuple


class Network(NamedTuple):
    """One entry."""

    package: str
    target: str
    arguments: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()


TRANSFORMERS = """
ResNetForImageClassification ViTForImageClassification ConvNextForImageClassification ConvNextV2ForImageClassification
SwinForImageClassification Swinv2ForImageClassification BeitForImageClassification DeiTForImageClassification
BitForImageClassification RegNetForImageClassification EfficientNetForImageClassification
MobileNetV1ForImageClassification MobileNetV2ForImageClassification MobileViTForImageClassification
MobileViTV2ForImageClassification LevitForImageClassification CvtForImageClassification PvtForImageClassification
PvtV2ForImageClassification PoolFormerForImageClassification FocalNetForImageClassification
HieraForImageClassification Dinov2ForImageClassification SegformerForSemanticSegmentation DPTForDepthEstimation
GLPNForDepthEstimation DetrForObjectDetection YolosForObjectDetection ASTForAudioClassification Wav2Vec2ForCTC
HubertForCTC WhisperForConditionalGeneration UniSpeechForCTC WavLMForCTC SEWForCTC BertForMaskedLM
RobertaForMaskedLM DistilBertForMaskedLM AlbertForMaskedLM ElectraForPreTraining MPNetForMaskedLM FNetForMaskedLM
FunnelForPreTraining ModernBertForMaskedLM GPT2LMHeadModel GPTBigCodeForCausalLM OPTForCausalLM BloomForCausalLM
T5ForConditionalGeneration BartForConditionalGeneration CLIPModel SiglipModel BlipModel OwlViTForObjectDetection
PatchTSTForPrediction VideoMAEForVideoClassification TimesformerForVideoClassification
LayoutLMForTokenClassification MambaForCausalLM
"""
LAYERS = ("config.num_hidden_layers=2",)
"""Of networks with dozens of equal layers two are enough to count."""
DEEP = """
LlamaForCausalLM MistralForCausalLM Qwen3ForCausalLM Gemma2ForCausalLM PhiForCausalLM FalconForCausalLM
GPTNeoXForCausalLM Mamba2ForCausalLM RwkvForCausalLM
"""
DIFFUSERS = """
UNet2DModel UNet2DConditionModel UNet3DConditionModel ControlNetModel AutoencoderKL AsymmetricAutoencoderKL VQModel
AutoencoderTiny AutoencoderDC AutoencoderKLHunyuanVideo AutoencoderKLMagvit T2IAdapter
"""
MONAI = """
UNet BasicUNet AttentionUnet DynUNet SegResNet VNet UNETR ViT DenseNet121 AutoEncoder HighResNet BasicUNetPlusPlus
SegResNetDS SwinUNETR ViTAutoEnc RegUNet LocalNet Classifier
"""
SMP = "Unet UnetPlusPlus MAnet Linknet FPN PSPNet DeepLabV3 DeepLabV3Plus PAN UPerNet Segformer DPT"
ULTRALYTICS = (
    "yolo11n yolo11n-seg yolo11n-pose yolo11n-obb yolo11n-cls yolov8n yolov8n-cls yolov5n yolov9t yolov10n yolo12n"
)
OPEN_CLIP = "RN50 ViT-B-32 convnext_base"
TIMM = "convnext_tiny efficientformer_l1 mixer_s32_224 regnety_004 swin_tiny_patch4_window7_224"
PATCHES = "image_size=64 patch_size=16 num_classes=10 dim=96 depth=2"
TORCHVISION = "resnet50 vit_b_16 deeplabv3_resnet50 r3d_18 efficientnet_b0"


def _each(package: str, names: str, arguments: tuple[str, ...] = (), ending: str = "") -> list[Network]:
    return [Network(package, f"{package}:{name}{ending}", arguments) for name in names.split()]


def _given(target: str, arguments: str, *inputs: str) -> Network:
    """A network by its import path, with `--arg` texts in one string."""
    return Network(target.partition(":")[0].partition(".")[0], target, tuple(arguments.split()), inputs)


NETWORKS: list[Network] = [
    *(each._replace(target=each.target.partition(":")[2]) for each in _each("transformers", TRANSFORMERS)),
    *(each._replace(target=each.target.partition(":")[2]) for each in _each("transformers", DEEP, LAYERS)),
    *_each("diffusers", DIFFUSERS),
    *_each("diffusers", "FluxTransformer2DModel", ("num_layers=2", "num_single_layers=2")),
    *_each("diffusers", "SD3Transformer2DModel DiTTransformer2DModel WanTransformer3DModel", ("num_layers=2",)),
    *_each("diffusers", "AuraFlowTransformer2DModel", ("num_mmdit_layers=1", "num_single_dit_layers=2")),
    *_each("monai", MONAI),
    *_each("smp", SMP),
    *_each("ultralytics", ULTRALYTICS, ending=".yaml"),
    *_each("open_clip", OPEN_CLIP),
    *_each("timm", TIMM),
    *_each("torchvision", TORCHVISION),
    _given("torch.nn:Transformer", "d_model=64 nhead=4 batch_first=True", "1x16x64", "1x16x64"),
    _given("torch.nn:LSTM", "input_size=32 hidden_size=64 num_layers=2", "16x1x32"),
    _given("vit_pytorch:ViT", f"{PATCHES} heads=3 mlp_dim=192", "1x3x64x64"),
    _given("vit_pytorch:SimpleViT", f"{PATCHES} heads=3 mlp_dim=192", "1x3x64x64"),
    _given("efficientnet_pytorch:EfficientNet.from_name", "model_name=efficientnet-b0"),
    _given("pretrainedmodels:xception", "pretrained=None"),
    _given("pretrainedmodels:inceptionv4", "pretrained=None"),
    _given("pretrainedmodels:dpn68", "pretrained=None"),
    _given(
        "x_transformers:TransformerWrapper",
        "num_tokens=1000 max_seq_len=64 attn_layers=x_transformers:Decoder attn_layers.dim=64 attn_layers.depth=2",
        "1x32:int64",
    ),
    _given("denoising_diffusion_pytorch:Unet", "dim=32", "1x3x32x32", "1"),
    _given("pytorch_tcn:TCN", "num_inputs=8 num_channels=[16,16]", "1x8x64"),
    _given("linformer:Linformer", "dim=64 seq_len=128 depth=2", "1x128x64"),
    _given("conformer:Conformer", "dim=64 depth=2", "1x32x64"),
    _given(
        "perceiver_pytorch:Perceiver",
        "num_freq_bands=6 max_freq=10.0 depth=2 num_latents=32 latent_dim=64 num_classes=10",
        "1x32x32x3",
    ),
    _given("mlp_mixer_pytorch:MLPMixer", f"{PATCHES} channels=3", "1x3x64x64"),
    _given("timm_3d:create_model", "model_name=resnet18", "1x3x64x64x64"),
    _given("segment_anything.modeling:ImageEncoderViT", "img_size=256 depth=2 window_size=7", "1x3x256x256"),
    _given("resnest.torch:resnest50", "pretrained=False", "1x3x224x224"),
    _given("facenet_pytorch:InceptionResnetV1", "", "1x3x160x160"),
]  # fmt: skip
