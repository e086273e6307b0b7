"""timm models of different families, the smallest of each."""

SPREAD = [
    "bat_resnext26ts", "beit_base_patch16_224", "botnet26t_256", "cait_xxs24_224", "coat_tiny", "coatnet_nano_rw_224",
    "convit_tiny", "convmixer_768_32", "convnext_atto", "crossvit_9_240", "cspresnet50", "davit_tiny",
    "deit3_small_patch16_224", "densenet121", "dla34", "dpn48b", "edgenext_xx_small", "efficientformer_l1",
    "efficientnet_b0", "efficientvit_b0", "eva02_tiny_patch14_224", "fastvit_t8", "focalnet_tiny_srf", "gcvit_xxtiny",
    "gernet_s", "ghostnet_050", "gmixer_24_224", "hardcorenas_a", "hgnet_tiny", "hrnet_w18_small",
    "inception_next_tiny", "inception_resnet_v2", "legacy_seresnet18", "levit_128s", "maxvit_pico_rw_256",
    "mixer_s32_224", "mobilenetv3_small_050", "mobilevit_xxs", "mvitv2_tiny", "nf_regnet_b0", "nfnet_l0",
    "pit_ti_224", "poolformer_s12", "pvt_v2_b0", "regnetv_040", "repvgg_a0", "res2net50_14w_8s", "resmlp_12_224",
    "resnest14d", "rexnet_100", "selecsls42", "sequencer2d_s", "skresnet18", "swin_tiny_patch4_window7_224",
    "swinv2_cr_tiny_224", "tf_efficientnet_b0", "tiny_vit_5m_224", "tnt_s_patch16_224", "tresnet_m",
    "twins_pcpvt_small", "vgg11", "visformer_tiny", "vit_tiny_patch16_224", "vovnet39a", "volo_d1_224", "xception41",
    "xcit_nano_12_p16_224",
]  # fmt: skip
